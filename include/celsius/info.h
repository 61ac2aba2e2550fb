/// Describes this build of the library and the machine that it runs on.
#ifndef CELSIUS_INFO_H
#define CELSIUS_INFO_H
#include "celsius/status.h"
#include <stdbool.h>
#include <stdint.h>
CEL_BEGIN

typedef struct CelInfo {
  const char *version;       ///< "0.1.0"
  const char *compiler;      ///< name and version
  const char *isa;           ///< instruction set in use: "avx512", "avx2", "portable"
  const char *isa_note;      ///< NULL, or why CELSIUS_ISA has no effect
  char isa_available[128];   ///< all that this machine can run, best first, separated by blanks
  int cores;                 ///< cores that this process may use
  uint64_t memory_total;     ///< bytes
  uint64_t memory_available; ///< bytes
  bool pictures;             ///< this build writes PNG and SVG (cairo)
  bool animations;           ///< this build writes GIF (giflib)
  bool onnx;                 ///< this build exports ONNX (protobuf-c)
  bool zlib, lzma;           ///< gzip and xz files of finite problems (UMB)
  bool suitesparse;          ///< sparse direct solves beyond a few hundred states (SuiteSparse)
} CelInfo;
/// Fills *info. The texts are static.
CEL_API void cel_info(CelInfo *info);

CEL_END
#endif
