"""Dense algebra and compiled loops on plain arrays; nothing here knows labels or files."""
