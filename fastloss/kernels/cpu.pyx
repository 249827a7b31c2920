"""What this processor can run. Compiled for the oldest processor of its kind."""

cdef extern from "cpu.h":
    """
    #ifndef FASTLOSS_FLAGS
    #define FASTLOSS_FLAGS ""
    #endif
    """
    int FASTLOSS_X86
    const char* FASTLOSS_COMPILER
    const char* FASTLOSS_FLAGS
    int fastloss_cpu_level()
    void fastloss_cpu_name(char* name)

COMPILER = FASTLOSS_COMPILER.decode()
FLAGS = FASTLOSS_FLAGS.decode()
X86 = bool(FASTLOSS_X86)


def level() -> int:
    """Return the highest x86-64 level that processor and operating system support (1 to 4)."""
    return fastloss_cpu_level()


def name() -> str:
    """Return the processor's name, or an empty string where it does not tell."""
    cdef char text[49]
    fastloss_cpu_name(text)
    return (<bytes>text).decode("ascii", "replace").strip()
