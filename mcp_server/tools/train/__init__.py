"""Operations of the stage train."""
