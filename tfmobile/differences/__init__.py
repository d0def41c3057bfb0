"""Two models side by side: what changed in the structure, and where the numbers part first."""
