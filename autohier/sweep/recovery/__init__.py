"""Records compared with the study, and rebuilt where they are lost or damaged."""
