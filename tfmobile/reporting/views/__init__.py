"""What each section of the page shows, as plain text and tables: templates only place it."""
