"""Code for the embedded interpreter only."""
