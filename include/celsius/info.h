/// What this build of the library is and what machine it finds itself on.
#ifndef CELSIUS_INFO_H
#define CELSIUS_INFO_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

typedef struct CelInfo {
  const char *version;
  const char *compiler;
  const char *isa;           ///< instruction set in use: "avx512", "avx2", "portable"
  const char *isa_note;      ///< NULL, or why CELSIUS_ISA was not followed
  char isa_available[128];   ///< all that this machine can run, best first, separated by blanks
  int cores;                 ///< that this process may use
  uint64_t memory_total;     ///< bytes
  uint64_t memory_available; ///< bytes
  bool pictures;             ///< PNG and SVG (cairo)
  bool animations;           ///< GIF (giflib)
  bool onnx;                 ///< ONNX export (protobuf-c)
  bool suitesparse;          ///< sparse direct solves beyond a few hundred states (SuiteSparse)
} CelInfo;
CEL_API void cel_info(CelInfo *info);

CEL_END
#endif
