/// Runs plans slowly and compares what each thread touches with what the operations declare.
///
/// Every slice of every operation is computed twice, one after another:
/// - first as it is. Each byte that changes must be in memory that the slice declares to write.
/// - then with other values in all memory that it does not declare to read, and in memory that
///   another thread has written since the last barrier. The results must be the same, and the other
///   values must still be there. So reads and writes that are not declared are noticed.
/// No byte may be written by two threads between two barriers, or be written by one and be declared
/// as read by another.
///
/// Only the memory of `tensors` is observed.
#ifndef SUPPORT_SHADOW_H
#define SUPPORT_SHADOW_H
#include "base/base.h"
#include "celsius/tensors.h"
#include "ops/plan.h"

#include <stdlib.h>
#include <string.h>

enum { SHADOW_THREADS_MAX = 8 };

typedef struct Shadow {
  const CelTensors *tensors;
  int threads;
  uint8_t *memory; ///< the tensors' block
  size_t bytes;
  uint8_t *flip;    ///< (bytes,) exclusive or that changes a tensor's value noticeably; 0: padding
  uint8_t *before;  ///< (bytes,)
  uint8_t *after;   ///< (bytes,)
  uint8_t *allowed; ///< (bytes,) CELI_READS and CELI_WRITES of the current slice
  uint8_t *writer;  ///< (bytes,) 1 + thread that wrote since the last barrier; 0: none
  uint8_t *readers; ///< (bytes,) threads that may have read since the last barrier, one bit each
  uint8_t *owner;   ///< (bytes,) 1 + thread that wrote last, within one plan
  int64_t slices;   ///< checked so far
  char message[512];
} Shadow;

static inline void shadow_free(Shadow *s) {
  uint8_t *const all[] = {s->flip,   s->before,  s->after, s->allowed,
                          s->writer, s->readers, s->owner};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/// Values whose change no computation absorbs: another sign and exponent, or the next integer.
static inline uint8_t shadow_flip(CelType type, size_t byte) {
  if (type == CEL_F32) return byte == 3 ? 0xbe : byte == 2 ? 0x2a : 0;
  if (type == CEL_F64) return byte == 7 ? 0xbf : byte == 6 ? 0x0a : 0;
  return byte == 0;
}

static inline bool shadow_create(Shadow *s, const CelTensors *tensors, int threads) {
  uint8_t **const all[] = {&s->flip,   &s->before,  &s->after, &s->allowed,
                           &s->writer, &s->readers, &s->owner};
  memset(s, 0, sizeof *s);
  s->tensors = tensors;
  s->threads = threads;
  s->bytes = cel_tensors_bytes(tensors);
  for (int role = 0; role < CEL_ROLES; role++) {
    size_t bytes;
    uint8_t *at = cel_tensors_region(tensors, (CelRole)role, &bytes);
    if (bytes && (!s->memory || at < s->memory)) s->memory = at;
  }
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!(*all[i] = calloc(s->bytes, 1))) return false;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    const size_t size = cel_type_size(t->type), first = (size_t)((uint8_t *)t->data - s->memory);
    for (size_t k = 0; k < (size_t)t->size * size; k++)
      s->flip[first + k] = shadow_flip(t->type, k % size);
  }
  return true;
}

/// Name and element of the tensor at an offset, for messages.
static inline CelStatus shadow_fail(Shadow *s, const CeliOp *op, int thread, size_t at,
                                    const char *what) {
  const uint8_t *place = s->memory + at;
  const char *name = "padding";
  long long element = 0;
  for (int64_t i = 0; i < cel_tensors_count(s->tensors); i++) {
    const CelTensor *t = cel_tensors_at(s->tensors, i);
    const size_t size = cel_type_size(t->type);
    const uint8_t *data = t->data;
    if (place < data || place >= data + (size_t)t->size * size) continue;
    name = t->name;
    element = (long long)((size_t)(place - data) / size);
  }
  snprintf(s->message, sizeof s->message, "operation \"%s\", thread %d of %d: %s %s[%lld]",
           op->name, thread, s->threads, what, name, element);
  return cel_fail(CEL_E_STATE, "%s", s->message);
}

/// Marks [at, at + n) if it is within the tensors' block. Others' parts of memory by thread, and
/// what other threads have written since the last barrier, are not to be read.
static inline void shadow_allow(Shadow *s, const uint8_t *at, size_t n, int mode, bool own,
                                int thread) {
  const uint8_t me = (uint8_t)(thread + 1);
  if (at + n <= s->memory || at >= s->memory + s->bytes) return;
  for (size_t i = (size_t)(at - s->memory), end = i + n; i < end; i++) {
    const bool others =
        (s->writer[i] && s->writer[i] != me) || (own && s->owner[i] && s->owner[i] != me);
    s->allowed[i] |= (uint8_t)(others ? mode & CELI_WRITES : mode);
    // Writes whose pieces are the slice's own may read these pieces; which ones is not declared.
    if (mode == CELI_READS && !own) s->readers[i] |= (uint8_t)(1u << thread);
  }
}

static inline void shadow_declare(Shadow *s, const CeliOp *op, int64_t begin, int64_t end,
                                  int thread) {
  memset(s->allowed, 0, s->bytes);
  for (int64_t i = 0; i < op->n; i++) {
    const CeliAccess *x = &op->access[i];
    // A write reads at most what it writes, such as a sum that it continues.
    const int mode = x->mode & CELI_WRITES ? CELI_UPDATES : CELI_READS;
    if (x->pattern != CELI_BY_ROW) {
      shadow_allow(s, x->at, x->bytes, mode, x->pattern == CELI_BY_THREAD, thread);
      continue;
    }
    for (int64_t row = begin; row < end; row++)
      shadow_allow(s, (const uint8_t *)x->at + (size_t)row * x->stride, x->width, mode, false,
                   thread);
  }
}

/// Bytes that the slice changed.
static inline CelStatus shadow_writes(Shadow *s, const CeliOp *op, int thread) {
  const uint8_t me = (uint8_t)(thread + 1);
  for (size_t i = 0; i < s->bytes; i++) {
    if (s->after[i] == s->before[i]) continue;
    if (!(s->allowed[i] & CELI_WRITES))
      return shadow_fail(s, op, thread, i, "writes without a declaration");
    if (s->writer[i] && s->writer[i] != me)
      return shadow_fail(s, op, thread, i, "writes, as another thread has since the last barrier,");
    if (s->readers[i] & ~(1u << thread))
      return shadow_fail(s, op, thread, i,
                         "writes what another thread may have read since the last barrier:");
    s->writer[i] = s->owner[i] = me;
  }
  return CEL_OK;
}

/// The same slice with other values wherever it must not read.
static inline CelStatus shadow_reads(Shadow *s, const CeliOp *op, int thread, int64_t begin,
                                     int64_t end) {
  for (size_t i = 0; i < s->bytes; i++)
    s->memory[i] = s->before[i] ^ (s->allowed[i] & CELI_READS ? 0 : s->flip[i]);
  op->fn(op->args, begin, end);
  for (size_t i = 0; i < s->bytes; i++) {
    const uint8_t other = s->allowed[i] & CELI_READS ? 0 : s->flip[i];
    if (s->after[i] != s->before[i] || (s->allowed[i] & CELI_READS)) {
      if (s->memory[i] != s->after[i])
        return shadow_fail(s, op, thread, i,
                           "reads something without a declaration, which changes");
    } else if (s->memory[i] != (s->before[i] ^ other)) {
      return shadow_fail(s, op, thread, i, "writes, without a declaration, the value it finds in");
    }
  }
  memcpy(s->memory, s->after, s->bytes);
  return CEL_OK;
}

static inline CelStatus shadow_op(Shadow *s, const CeliOp *op) {
  if (op->n == 0) {
    snprintf(s->message, sizeof s->message, "operation \"%s\" declares nothing", op->name);
    return cel_fail(CEL_E_STATE, "%s", s->message);
  }
  for (int t = 0; t < s->threads; t++) {
    int64_t begin, end;
    if (!celi_op_slice(op, t, s->threads, &begin, &end)) continue;
    shadow_declare(s, op, begin, end, t);
    memcpy(s->before, s->memory, s->bytes);
    op->fn(op->args, begin, end);
    memcpy(s->after, s->memory, s->bytes);
    CELI_TRY(shadow_writes(s, op, t));
    CELI_TRY(shadow_reads(s, op, t, begin, end));
    s->slices++;
  }
  return CEL_OK;
}

/// A CeliPlanRunner; `user` is the Shadow.
static inline CelStatus shadow_run(void *user, CeliPlan *plan, int64_t times) {
  Shadow *s = user;
  memset(s->owner, 0, s->bytes);
  for (int64_t time = 0; time < times; time++) {
    const int64_t counter = celi_plan_counter(plan);
    for (int64_t i = 0; i < celi_plan_count(plan); i++) {
      const CeliOp *op = celi_plan_op(plan, i);
      if (i == 0 || op->barrier) {
        memset(s->writer, 0, s->bytes);
        memset(s->readers, 0, s->bytes);
      }
      if (celi_op_is_due(op, counter)) CELI_TRY(shadow_op(s, op));
    }
  }
  return CEL_OK;
}

#endif
