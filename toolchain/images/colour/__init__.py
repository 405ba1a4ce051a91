"""From the colours that a picture's file declares to sRGB, as browsers do it."""
