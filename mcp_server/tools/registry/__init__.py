"""Operations of the stage registry."""
