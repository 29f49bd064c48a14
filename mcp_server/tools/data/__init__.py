"""Operations of the stage data."""
