/// Information about this build of the library and the machine.
#include "celsius/info.h"
#include "base/arguments.h"
#include "base/base.h"
#include "celsius/version.h"
#include "ops/ops.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int usable_cores(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

static uint64_t all_memory(void) {
  const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

void cel_info(CelInfo *info) {
  CELI_NEED_OR(info, );
  CELI_FLOATS(CELI_IEEE);
  *info = (CelInfo){.version = cel_version(),
                    .isa = celi_ops()->name,
                    .isa_note = celi_ops_note(),
                    .cores = usable_cores(),
                    .memory_total = all_memory(),
                    .memory_available = celi_memory_available(NULL)};
#if defined(__clang__)
  info->compiler = "clang " __clang_version__;
#else
  info->compiler = "gcc " __VERSION__;
#endif
#ifdef CELSIUS_WITH_CAIRO
  info->pictures = true;
#endif
#ifdef CELSIUS_WITH_GIF
  info->animations = info->pictures; // frames are drawn with cairo
#endif
#ifdef CELSIUS_WITH_PROTOBUF
  info->onnx = true;
#endif
#ifdef CELSIUS_WITH_ZLIB
  info->zlib = true;
#endif
#ifdef CELSIUS_WITH_LZMA
  info->lzma = true;
#endif
#ifdef CELSIUS_WITH_SUITESPARSE
  info->suitesparse = true;
#endif
  for (int i = 0; celi_ops_at(i); i++) {
    const size_t n = strlen(info->isa_available);
    snprintf(info->isa_available + n, sizeof info->isa_available - n, "%s%s", n ? " " : "",
             celi_ops_at(i)->name);
  }
}
