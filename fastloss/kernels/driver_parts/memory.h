/* What the system knows about memory. */
#ifndef FASTLOSS_MEMORY_H
#define FASTLOSS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif

/* Asks for pages of 2 MiB where that is left to programs; a refusal costs speed alone. */
static void fastloss_huge_pages(void *memory, size_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t page = 4096, start = ((uintptr_t)memory + page - 1) & ~(page - 1);
    if (size >= (size_t)4 << 20)
        madvise((void *)start, ((uintptr_t)memory + size - start) & ~(page - 1), MADV_HUGEPAGE);
#else
    (void)memory;
    (void)size;
#endif
}

static size_t fastloss_physical_memory(void)
{
#if defined(_WIN32)
    MEMORYSTATUSEX status;
    status.dwLength = sizeof(status);
    return GlobalMemoryStatusEx(&status) ? (size_t)status.ullTotalPhys : (size_t)4 << 30;
#else
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : (size_t)4 << 30;
#endif
}

#endif
