"""Operations of the stage template."""
