"""Operations of the stage monitor."""
