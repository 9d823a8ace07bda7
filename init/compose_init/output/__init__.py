"""What people and programs get to read: reports, progress, the live screen."""
