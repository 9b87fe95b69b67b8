"""Writing in pictures and on pages: where it stands, what it says, and which names are one."""
