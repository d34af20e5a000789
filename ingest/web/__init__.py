"""Pages of the web as sources: fetched politely into a mirror in Draftline's home, then listed like files."""
