"""What an int8 model costs on a bare Cortex-M: instructions, arena, code; beside a peer's image.

The images hold tinyml with five ops (FULLY_CONNECTED, LOGISTIC, RELU, QUANTIZE, DEQUANTIZE), one
for a Cortex-M3 and one for an M4 with its DSP instructions. QEMU counts instructions exactly (the
same number in every run), not cycles. Code is the image's size less that of the same image without an
engine; both engines are built without their sentences for errors. A peer is somebody's ready-made ELF of cortex_m/main.cpp with another engine; where there is
none, this says so and measures tinyml alone.
"""
import pathlib
import random
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
HERE = ROOT / "bench/cortex_m"
WORK = ROOT / "build/bench/cortex_m"
CONVERTED = ROOT / "build/release/oracle-converter/models/tf_dense_4_60_30_10_1_pc.tflite"
JOB_AT = 0x21400000  # as in main.cpp
TINYML = ["model", "schema", "flatbuffer", "graph", "plan", "program", "fixed_point", "real_math",
          "fully_connected", "dense", "activation", "quantise"]
SHARED = ["-std=c++23", "-mthumb", "-ffunction-sections", "-fdata-sections", "-fno-common",
          "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit", "-Wno-psabi", "-DSTATOR_TINYML_TERSE",
          "-ffp-contract=off", "--specs=nano.specs", "-g1",
          f"-fmacro-prefix-map={ROOT}/="]
MACHINES = {
    "Cortex-M3": (["-mcpu=cortex-m3", "-mfloat-abi=soft"], "mps2-an385"),
    "Cortex-M4": (["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"], "mps2-an386"),
}
GOALS = {"Cortex-M3": {"inference": 1.8}, "Cortex-M4": {"inference": 1.25}}
GOALS_OF_BOTH = {"set-up": 4, "arena": 2, "code": 4}


def tool(name):
    found = shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is not installed: run ./setup --test")
    return found


def compiled(machine, source, level):
    flags = MACHINES[machine][0]
    target = WORK / machine / f"{source.stem}.o"
    subprocess.run([tool("arm-none-eabi-g++"), *SHARED, *flags, level, "-I", ROOT / "src", "-I", ROOT / "bench",
                    "-I", ROOT / "src/sense/port/cortex_m/lib", "-c", source, "-o", target], check=True)
    return target


def image(machine, name, objects):
    elf = WORK / machine / f"{name}.elf"
    script = ROOT / "src/sense/port/cortex_m/mps2_an386.ld"
    subprocess.run([tool("arm-none-eabi-g++"), *SHARED, *MACHINES[machine][0], *objects, "-nostartfiles",
                    "-Wl,--defsym=stator_code_begin=0", "-Wl,--defsym=stator_code_bytes=1M",
                    "-T", script, "-Wl,--gc-sections", "-o", elf], check=True)
    return elf


def build(machine):
    """The image with tinyml, and that without an engine."""
    (WORK / machine).mkdir(parents=True, exist_ok=True)
    port = ROOT / "src/sense/port/cortex_m"
    frame = [compiled(machine, source, "-Os")
             for source in (HERE / "main.cpp", port / "board.cpp", port / "startup.cpp")]
    engine = [compiled(machine, HERE / "tinyml_engine.cpp", "-Os"),
              compiled(machine, HERE / "five_ops.cpp", "-Os")]
    for name in TINYML:  # as the firmware is compiled, with its assertions
        level = "-O2" if name == "dense" else "-Os"
        engine.append(compiled(machine, ROOT / f"src/shared/tinyml/{name}.cpp", level))
    none = compiled(machine, HERE / "no_engine.cpp", "-Os")
    return image(machine, "tinyml", frame + engine), image(machine, "none", [*frame, none])


def flash_bytes(elf):
    said = subprocess.run([tool("arm-none-eabi-size"), elf], capture_output=True, text=True, check=True)
    text, data = said.stdout.splitlines()[1].split()[:2]
    return int(text) + int(data)


def job_of(model, rows, inputs, outputs):
    bytes_ = model.read_bytes()
    head = b"".join(number.to_bytes(4, "little") for number in (len(bytes_), len(rows), inputs, outputs))
    return head + bytes_.ljust((len(bytes_) + 15) // 16 * 16, b"\0") + b"".join(rows)


def emulate(machine, elf, job):
    """What the image counted, and its rows of outputs."""
    file = WORK / "job.bin"
    file.write_bytes(job)
    done = subprocess.run(
        [tool("qemu-system-arm"), "-M", MACHINES[machine][1], "-display", "none", "-monitor", "none",
         "-serial", "stdio", "-nic", "none", "-kernel", elf, "-icount", "shift=6",
         "-semihosting-config", "enable=on,target=native",
         "-device", f"loader,file={file},addr={JOB_AT:#x},force-raw=on"],
        capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0 or "done" not in done.stdout:
        raise SystemExit(f"{elf} did not end well on the {machine}: {done.stdout[-300:]}{done.stderr[-300:]}")
    costs = {name: int(number) for name, number in re.findall(r"^cost (.+) = (\d+)$", done.stdout, re.MULTILINE)}
    rows = [bytes.fromhex(row) for row in re.findall(r"^row ([0-9a-f]+)$", done.stdout, re.MULTILINE)]
    return costs, rows


def on_the_host(model, rows):
    """The outputs of tests/oracle's program, which the oracle holds to TFLM's, byte for byte."""
    data = WORK / "rows.bin"
    data.write_bytes(b"".join(rows))
    out = WORK / "expected.bin"
    subprocess.run([ROOT / "build/release/tests/oracle/tinyml_run", model, "double", data, out], check=True)
    return out.read_bytes()


def measured(machine, elf, none, job):
    costs, rows = emulate(machine, elf, job)
    costs["code"] = flash_bytes(elf) - flash_bytes(none)
    return costs, rows


def default_model():
    """The reference network as TensorFlow's converter makes it, where the oracle's test left it; or one of our own."""
    if CONVERTED.is_file():
        return CONVERTED
    print(f"no {CONVERTED.relative_to(ROOT)} (made by STATOR_LONG=1 ctest -R oracle_converter): a baseline of our own")
    folder = WORK / "models"
    folder.mkdir(exist_ok=True)
    subprocess.run([ROOT / "build/release/tests/oracle/make_models", folder], check=True)
    return folder / "baseline13_pc_int8.tflite"


def main(model, peers, rows_count=1000):
    """peers: by machine, the path of a peer's image; returns what was measured."""
    WORK.mkdir(parents=True, exist_ok=True)
    model = model or default_model()
    inputs, outputs = ends_of(model)
    chance = random.Random(5)
    rows = [chance.randbytes(inputs) for _ in range(rows_count)]
    expected = on_the_host(model, rows)
    expected = [expected[i:i + outputs] for i in range(0, len(expected), outputs)]
    job = job_of(model, rows, inputs, outputs)
    print(f"{model.name}: {model.stat().st_size} B, {inputs} to {outputs}, {rows_count} random rows")
    results = {}
    for machine in MACHINES:
        ours, none = build(machine)
        engines = {"tinyml": ours}
        if peers.get(machine):
            engines["peer"] = peers[machine]
        else:
            print(f"{machine}: no peer's image at hand: tinyml alone")
        for name, elf in engines.items():
            costs, given = measured(machine, elf, none, job)
            wrong = sum(a != b for a, b in zip(given, expected, strict=True))
            print(f"{machine} {name}: " + ", ".join(f"{what} {cost}" for what, cost in costs.items())
                  + f"; {rows_count - wrong} of {rows_count} rows as expected")
            results.setdefault(machine, {})[name] = costs | {"wrong_rows": wrong}
        if "peer" in engines:
            judge(machine, results[machine])
    return results


def judge(machine, costs):
    for what, goal in (GOALS[machine] | GOALS_OF_BOTH).items():
        ratio = costs["peer"][what] / costs["tinyml"][what]
        print(f"{machine} {what}: {ratio:.2f} times less than the peer; the goal is {goal}: "
              + ("reached" if ratio >= goal else "NOT reached"))


def ends_of(model):
    """Numbers in and out, as `stator tinyml` sees them."""
    said = subprocess.run([ROOT / "build/release/stator", "tinyml", "info", model],
                          capture_output=True, text=True, check=True).stdout
    return tuple(int(re.search(rf"^{end}\D+(\d+)", said, re.MULTILINE)[1]) for end in ("input", "output"))
