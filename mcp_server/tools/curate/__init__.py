"""Operations of the stage curate."""
