"""Where the bytes of seeds come from: files, object stores, HTTPS."""
