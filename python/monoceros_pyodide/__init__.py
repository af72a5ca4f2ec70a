"""What only the embedded interpreter uses."""
