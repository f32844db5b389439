"""Pictures of prepared clips: frames, skeletons and boxes."""
