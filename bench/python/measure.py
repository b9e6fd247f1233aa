"""One measurement of a Python side in a process of its own, the same way as harness/worker.ts does it."""
import gc
import json
import re
import resource
import sys
import time


def reset_peak():
    """Linux forgets the peak on request. Elsewhere it is the peak of the whole process."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def peak_megabytes():
    try:
        with open("/proc/self/status") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) / 1024
    except (OSError, TypeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(sides, run):
    """`sides[case, side]` is an async function of (n, mark) that returns how many operations it did; `run` runs it."""
    case, side, n, repeat, warm = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    function = sides[case, side]
    marks = []

    def mark():
        marks.append((time.perf_counter(), time.process_time()))

    # Python compiles nothing, so one warm-up is enough: imports and caches.
    run(function, warm, lambda: None)
    gc.collect()
    reset_peak()
    done = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        done += run(function, n, mark)
    end_wall, end_cpu = time.perf_counter(), time.process_time()
    if done != n * repeat:
        sys.exit(f"ended well, but with {done} of {n * repeat} done")
    result = {"wallMs": (end_wall - wall) * 1000, "cpuMs": (end_cpu - cpu) * 1000, "rssMB": peak_megabytes()}
    if marks:
        result["marked"] = {"wallMs": (end_wall - marks[-1][0]) * 1000, "cpuMs": (end_cpu - marks[-1][1]) * 1000}
    print(json.dumps(result))
