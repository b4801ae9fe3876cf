"""Where the face is in a clip, and pictures to check it."""
