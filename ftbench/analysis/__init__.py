"""What many runs say together: which factor moves the score, by how much, and which claims stand."""
