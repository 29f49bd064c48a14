"""Where conversations are kept: SQLite, the newest state of each."""

from collections.abc import Sequence

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

# Ids of checkpoints grow in the order of time. What a specialist kept for itself is newer than the
# conversation's own state only while the conversation waits for it.
_OUTDATED = """
DELETE FROM checkpoints WHERE thread_id = ? AND (
  checkpoint_id < (SELECT max(own.checkpoint_id) FROM checkpoints own
                   WHERE own.thread_id = checkpoints.thread_id AND own.checkpoint_ns = '')
  OR checkpoint_id < (SELECT max(same.checkpoint_id) FROM checkpoints same
                      WHERE same.thread_id = checkpoints.thread_id
                      AND same.checkpoint_ns = checkpoints.checkpoint_ns))
"""
_LEFT_OVER = """
DELETE FROM writes WHERE thread_id = ? AND NOT EXISTS (
  SELECT 1 FROM checkpoints kept WHERE kept.thread_id = writes.thread_id
  AND kept.checkpoint_ns = writes.checkpoint_ns AND kept.checkpoint_id = writes.checkpoint_id)
"""


class Memory(AsyncSqliteSaver):
    """Each step of a turn is kept until the turn has ended, so that a crash loses nothing.

    Each step holds the whole conversation: kept for good, they would grow with its square.
    """

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Forget the earlier states of conversations.

        Args:
            strategy: `keep_latest`, or `delete` for all of each conversation.

        Raises:
            ValueError: for another strategy.
        """
        if strategy not in ("keep_latest", "delete"):
            raise ValueError(f"unknown strategy {strategy!r}: keep_latest or delete")
        await self.setup()
        for thread in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(thread)
                continue
            async with self.lock, self.conn.cursor() as cursor:
                await cursor.execute(_OUTDATED, (thread,))
                await cursor.execute(_LEFT_OVER, (thread,))
                await self.conn.commit()
