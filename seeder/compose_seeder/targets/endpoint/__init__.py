"""An endpoint of the application's API as a target."""
