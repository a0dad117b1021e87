"""Scores of N generated samples against N real ones; one module a family, none knows what an image is."""
