"""Find the fastest or smallest model that stays within the accuracy budget."""
