from resexp.experiments.devices import cores, threads_of


def test_threads_are_as_asked_else_as_the_environment_says_else_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_of(None, workers) for workers in (1, 2, 9)] == [6, 3, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads_of(None) == 2
    assert threads_of(5) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads_of(None) == 6


def test_cores_where_the_system_does_not_say_which_are_ours(monkeypatch):
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 12)
    assert cores() == 12
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert cores() == 1
