"""Micro worlds: small invented data sets with the text to pre-train a micro model on, made by seeded scripts."""
