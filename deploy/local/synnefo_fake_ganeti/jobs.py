"""The job queue of a fake cluster: states, order, log lines, reason trail, waiting, cancelling, archiving.

Jobs on the same instance run in the order they came, others side by side, never more than `max_running` at once.
Not for: what an opcode does; that is given in as `execute`.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from synnefo_fake_ganeti.faults import Faults
from synnefo_fake_ganeti.problems import JobError, execution
from synnefo_fake_ganeti.state import ClusterState, Record

FINAL = frozenset({"success", "error", "canceled"})
BULK_FIELDS = ("id", "ops", "status", "summary", "opstatus", "received_ts", "start_ts", "end_ts")
FIELDS = (*BULK_FIELDS, "oplog", "opresult")
WAIT_S = 10.0

Log = Callable[[str], None]
Execute = Callable[[Record, Log], Any]


def timestamp(now: float) -> list[int]:
    seconds = int(now)
    return [seconds, int((now - seconds) * 1_000_000)]


def summary(opcode: Record) -> str:
    op_id = str(opcode["OP_ID"]).removeprefix("OP_")
    kind = op_id.split("_")[0].lower()
    name = opcode.get(f"{kind}_name")
    return f"{op_id}({name})" if name is not None and op_id != "INSTANCE_RENAME" else op_id


def as_seen(opcode: Record) -> Record:
    """The queue keeps no parameter that is unset, but for two."""
    kept = {key: value for key, value in opcode.items() if value is not None or key in ("depends", "comment")}
    return {"debug_level": 0, **kept}


class JobQueue:
    def __init__(
        self,
        state: ClusterState,
        *,
        execute: Execute,
        faults: Faults,
        job_delay_s: float = 0.05,
        max_running: int = 20,
        archive_after_s: float = 3600.0,
    ) -> None:
        self._state = state
        self._execute = execute
        self._faults = faults
        self._delay_s = job_delay_s
        self._archive_after_s = archive_after_s
        self._slots = asyncio.Semaphore(max_running)
        self._locks: dict[str, asyncio.Lock] = {}
        self._lock_users: Counter[str] = Counter()
        self._changed: dict[int, asyncio.Event] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.jobs: dict[int, Record] = {int(key): job for key, job in state.store.load("jobs").items()}
        self._next_id = max(self.jobs, default=0) + 1
        self._last_archive = 0.0
        self._encodings: dict[int, Any] = {}

    def resume(self) -> None:
        """After a restart: queued jobs run, a job whose process died is an error, as in the real queue."""
        for job in sorted(self.jobs.values(), key=lambda job: int(job["id"])):
            if job["status"] == "queued":
                self._start(job)
            elif job["status"] not in FINAL:
                self._finish(job, "error", [None if s == "success" else "error" for s in job["opstatus"]])

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what RAPI asks
    def submit(self, opcodes: list[Record]) -> int:
        now = self._state.now()
        job_id, self._next_id = self._next_id, self._next_id + 1
        for index, opcode in enumerate(opcodes):
            source = "gnt:opcode:" + opcode["OP_ID"].removeprefix("OP_").lower()
            opcode["reason"] = [*opcode["reason"], [source, f"job={job_id};index={index}", int(now * 1e6) * 1000]]
        job: Record = {
            "id": job_id,
            "ops": [as_seen(opcode) for opcode in opcodes],
            "status": "queued",
            "summary": [summary(opcode) for opcode in opcodes],
            "opstatus": ["queued" for _ in opcodes],
            "received_ts": timestamp(now),
            "start_ts": None,
            "end_ts": None,
            "oplog": [[] for _ in opcodes],
            "opresult": [None for _ in opcodes],
        }
        self.jobs[job_id] = job
        self._save(job)
        self._start(job)
        self._archive_old(now)
        return job_id

    def show(self, job_id: int) -> Record:
        """Every field null for a job that is not there, as the real one answers."""
        job = self.jobs.get(job_id)
        if job is None or job.get("is_purged"):
            return {field: job_id if field == "id" else None for field in FIELDS}
        return {field: job[field] for field in FIELDS}

    def list_ids(self) -> list[int]:
        return sorted(job_id for job_id, job in self.jobs.items() if not job.get("is_archived"))

    def list_bulk(self) -> list[Any]:
        """Ended jobs are encoded once: a list may hold thousands."""
        return [self._bulk(self.jobs[job_id]) for job_id in self.list_ids()]

    def _bulk(self, job: Record) -> Any:
        known = self._encodings.get(job["id"])
        if known is not None:
            return known
        value = {field: job[field] for field in BULK_FIELDS}
        if job["status"] not in FINAL:
            return value
        return self._encodings.setdefault(job["id"], orjson.Fragment(orjson.dumps(value)))

    async def wait(self, job_id: int, fields: list[str], previous: list[Any] | None, serial: int | None) -> Record | None:
        """The job's fields as soon as they differ from `previous`; None after ten seconds without a change."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while True:
            job = self.jobs[job_id]
            values = [job.get(field) if field in FIELDS else None for field in fields]
            log = [entry for lines in job["oplog"] for entry in lines if serial is None or entry[0] > serial]
            if values != previous or log or job["status"] in FINAL:
                return {"job_info": values, "log_entries": log}
            changed = self._changed.setdefault(job_id, asyncio.Event())
            try:
                async with asyncio.timeout(deadline - asyncio.get_running_loop().time()):
                    await changed.wait()
            except TimeoutError:
                return None

    def knows(self, job_id: int) -> bool:
        job = self.jobs.get(job_id)
        return job is not None and not job.get("is_purged")

    def cancel(self, job_id: int) -> list[Any]:
        if not self.knows(job_id):
            return [False, f"Job {job_id} not found in queue"]
        job = self.jobs[job_id]
        if job["status"] in FINAL:
            status = "JOB_STATUS_" + job["status"].upper()
            return [False, f"Job exited before it could have been canceled, status {status}"]
        if job["status"] == "running":
            return [False, f"Job {job_id} is no longer waiting in the queue"]
        task = self._tasks.get(job_id)
        if task is not None:
            task.cancel()
        self.mark_canceled(job)
        return [True, f"Job {job_id} canceled"]

    def mark_canceled(self, job: Record) -> None:
        self._finish(job, "canceled", ["canceled" for _ in job["ops"]])
        job["opresult"] = ["Job canceled by request" for _ in job["ops"]]
        self._save(job)

    def archive(self, job_id: int, *, is_purged: bool = False) -> None:
        """Archived: out of the list, still readable. Purged: as if it had never been."""
        job = self.jobs[job_id]
        job["is_archived"] = True
        self._encodings.pop(job_id, None)
        job["is_purged"] = is_purged
        self._save(job)

    # the running of jobs
    def _save(self, job: Record, *, is_durable: bool = True) -> None:
        self._state.store.put("jobs", str(job["id"]), job, is_durable=is_durable)

    def _notify(self, job: Record) -> None:
        event = self._changed.pop(int(job["id"]), None)
        if event is not None:
            event.set()

    def _start(self, job: Record) -> None:
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._tasks[int(job["id"])] = task
        task.add_done_callback(lambda _: self._tasks.pop(int(job["id"]), None))

    @asynccontextmanager
    async def _lock(self, job: Record) -> AsyncIterator[None]:
        opcode = job["ops"][0]
        keys = ("instance_name", "network_name", "name", "node_name", "group_name")
        name = next((str(opcode[key]).lower() for key in keys if opcode.get(key)), f"job-{job['id']}")
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._lock_users[name] += 1
        try:
            async with lock:
                yield
        finally:
            self._lock_users[name] -= 1
            if not self._lock_users[name]:
                del self._lock_users[name], self._locks[name]

    async def _run(self, job: Record) -> None:
        async with self._lock(job), self._slots:
            problem = await self._await_dependencies(job)
            job["start_ts"] = timestamp(self._state.now())
            fault = self._faults.for_job(job)
            await asyncio.sleep(self._delay_s * 0.3)
            if fault is not None and fault["fault"] == "cancel_job":
                self.mark_canceled(job)
                return
            job["status"] = "running"
            for index, opcode in enumerate(job["ops"]):
                job["opstatus"][index] = "running"
                self._save(job, is_durable=False)
                self._notify(job)
                await asyncio.sleep(self._delay_s * 0.7 + float((fault or {}).get("seconds", 0)))
                problem = problem or self._run_opcode(job, index, opcode, fault)
                if problem is not None:
                    self._fail_from(job, index, problem)
                    break
                job["opstatus"][index] = "success"
            status = "success" if problem is None else "error"
            self._finish(job, status, job["opstatus"])
            if fault is not None and fault["fault"] in ("archive_job", "purge_job"):
                self.archive(int(job["id"]), is_purged=fault["fault"] == "purge_job")

    def _run_opcode(self, job: Record, index: int, opcode: Record, fault: Record | None) -> JobError | None:
        lines = job["oplog"][index]

        def log(text: str) -> None:
            serial = sum(len(entries) for entries in job["oplog"]) + 1
            lines.append([serial, timestamp(self._state.now()), "message", text])

        wanted = None if fault is None else fault["fault"]
        injected = JobError(*((fault or {}).get("error") or ["OpExecError", "Injected failure"]))
        if wanted == "fail_job":
            return injected
        try:
            job["opresult"][index] = self._execute(opcode, log)
        except JobError as failed:
            return failed
        if wanted == "fail_hotplug":  # a success, as a hypervisor that can hot-plug would tell it
            job["opresult"][index] = [*job["opresult"][index], ["device", "hotplug:failed"]]
        return injected if wanted == "fail_after_effect" else None

    @staticmethod
    def _fail_from(job: Record, index: int, problem: JobError) -> None:
        job["opstatus"][index] = "error"
        job["opresult"][index] = problem.result()
        for later in range(index + 1, len(job["ops"])):
            job["opstatus"][later] = "error"
            job["opresult"][later] = execution("Preceding opcode failed").result()

    async def _await_dependencies(self, job: Record) -> JobError | None:
        for wanted, states in job["ops"][0]["depends"] or []:
            job_id = wanted if wanted > 0 else int(job["id"]) + wanted
            if not self.knows(job_id):
                return execution(f"Dependency error: Job {job_id} not found")
            while self.jobs[job_id]["status"] not in FINAL:
                await asyncio.wait([self._tasks[job_id]])
            status = self.jobs[job_id]["status"]
            if states and status not in states:
                return execution(f"Dependency error: Job {job_id} finished with status '{status}', not one of {states}")
        return None

    def _finish(self, job: Record, status: str, opstatus: list[Any]) -> None:
        job["status"] = status
        job["opstatus"] = opstatus
        job["end_ts"] = timestamp(self._state.now())
        self._save(job, is_durable=False)  # what a power loss takes is the news of the end, not what was done
        self._notify(job)

    def _archive_old(self, now: float) -> None:
        if now - self._last_archive < 60:
            return
        self._last_archive = now
        for job_id in self.list_ids():
            end = self.jobs[job_id]["end_ts"]
            if end is not None and now - end[0] > self._archive_after_s:
                self.archive(job_id)
