"""The event loop of a component: works without sockets and threads, with and without waiting."""

import asyncio
import unittest

from mint_sdk.component.loop import ComponentLoop


class Loop(unittest.TestCase):
    def setUp(self) -> None:
        self.loop = ComponentLoop()
        self.addCleanup(self.loop.close)

    def test_work_that_never_waits(self) -> None:
        async def work() -> bool:
            return asyncio.current_task() is not None and asyncio.get_running_loop() is self.loop

        self.assertTrue(self.loop.run(work()))
        self.assertFalse(self.loop.is_running())

    def test_work_that_waits(self) -> None:
        async def item(number: int) -> int:
            await asyncio.sleep(0.01 * number)
            return number

        async def work() -> list[int]:
            async with asyncio.timeout(5):
                return await asyncio.gather(item(2), item(1), item(0))

        self.assertEqual(self.loop.run(work()), [2, 1, 0])

    def test_time_outs_and_failures(self) -> None:
        async def late() -> None:
            await asyncio.wait_for(asyncio.sleep(60), 0.01)

        async def fails() -> None:
            raise KeyError("x")

        with self.assertRaises(TimeoutError):
            self.loop.run(late())
        with self.assertRaises(KeyError):
            self.loop.run(fails())

    def test_waiting_for_nothing_is_an_error(self) -> None:
        async def stuck() -> None:
            await asyncio.Event().wait()

        with self.assertRaisesRegex(RuntimeError, "nothing in it can bring about"):
            self.loop.run(stuck())
