"""Operations of the stage deploy."""
