"""A way in from FlowerTune: an app in the shape of its public template, read without carrying anything out."""
