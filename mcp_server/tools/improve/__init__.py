"""Operations of the stage improve."""
