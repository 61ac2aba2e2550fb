/// Spaces: constructors, checks, sizes, descriptions, samples.
#include "celsius/space.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/floats.h"
#include "celsius/rng.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/// Gives `space` a single part and returns that part. A space has 33 KiB, so it is built in place,
/// not passed by value.
static CelSpacePart *one_part(CelSpace *space, CelSpaceKind kind, CelType type, int64_t size) {
  memset(space, 0, sizeof *space);
  space->n_parts = 1;
  CelSpacePart *part = &space->part[0];
  part->kind = kind;
  part->type = type;
  part->ndim = 1;
  part->shape[0] = size;
  part->size = size;
  return part;
}

void celi_space_box(CelSpace *out, int64_t size, double low, double high) {
  CelSpacePart *part = one_part(out, CEL_BOX, CEL_F32, size);
  int64_t kept = size > CEL_SPACE_BOUNDS_MAX ? 1 : size;
  for (int64_t i = 0; i < kept; i++) {
    part->low[i] = (float)low;
    part->high[i] = (float)high;
  }
}

CelSpace cel_space_box(int64_t size, double low, double high) {
  CELI_FLOATS(CELI_IEEE);
  CelSpace space;
  celi_space_box(&space, size, low, high);
  return space;
}

CelSpace cel_space_box_bounds(int64_t size, const double *low, const double *high) {
  CELI_NEED_OR(low, (CelSpace){0});
  CELI_NEED_OR(high, (CelSpace){0});
  CELI_FLOATS(CELI_IEEE);
  CelSpace space;
  CelSpacePart *part = one_part(&space, CEL_BOX, CEL_F32, size);
  if (size > CEL_SPACE_BOUNDS_MAX) part->size = -1; // cel_space_check refuses it
  for (int64_t i = 0; i < size && i < CEL_SPACE_BOUNDS_MAX; i++) {
    part->low[i] = (float)low[i];
    part->high[i] = (float)high[i];
  }
  return space;
}

CelSpace cel_space_discrete(int64_t n) {
  CelSpace space;
  one_part(&space, CEL_DISCRETE, CEL_I32, 1)->n = n;
  return space;
}

CelSpace cel_space_multi_discrete(int64_t k, const int64_t *n) {
  CELI_NEED_OR(n, (CelSpace){0});
  CELI_FLOATS(CELI_IEEE);
  CelSpace space;
  CelSpacePart *part = one_part(&space, CEL_MULTI_DISCRETE, CEL_I32, k);
  if (k > CEL_SPACE_BOUNDS_MAX) part->size = -1; // cel_space_check refuses it
  for (int64_t i = 0; i < k && i < CEL_SPACE_BOUNDS_MAX; i++) part->high[i] = (float)n[i];
  return space;
}

CelSpace cel_space_multi_binary(int64_t k) {
  CelSpace space;
  (void)one_part(&space, CEL_MULTI_BINARY, CEL_U8, k);
  return space;
}

// ---- check

/// Whether a part has a type that its kind allows.
static bool type_fits(const CelSpacePart *part) {
  switch (part->kind) {
  case CEL_BOX: return part->type == CEL_F32 || part->type == CEL_U8;
  case CEL_DISCRETE:
  case CEL_MULTI_DISCRETE: return part->type == CEL_I32;
  case CEL_MULTI_BINARY: return part->type == CEL_U8;
  }
  return false;
}

/// The product of a part's shape, or -1 if an entry is not positive or the product is too large.
static int64_t shape_size(const CelSpacePart *part) {
  int64_t size = 1;
  for (int d = 0; d < part->ndim; d++) {
    int64_t length = part->shape[d];
    if (length < 1 || length > INT32_MAX || size > INT32_MAX / length) return -1;
    size *= length;
  }
  return size;
}

static CelStatus check_shape(const CelSpacePart *part, int p) {
  if (part->ndim < 1 || part->ndim > CEL_SPACE_DIMS_MAX) {
    return cel_fail(CEL_E_SHAPE, "part %d \"%.31s\": it has %d dimensions; it must have 1 to %d", p,
                    part->name, part->ndim, CEL_SPACE_DIMS_MAX);
  }
  int64_t size = shape_size(part);
  if (size < 0) {
    return cel_fail(CEL_E_SHAPE,
                    "part %d \"%.31s\": an entry of the shape is below 1, or the size is too large",
                    p, part->name);
  }
  bool each = part->kind == CEL_MULTI_DISCRETE; // needs separate bounds for all elements
  if (part->size != size || (each && size > CEL_SPACE_BOUNDS_MAX)) {
    return cel_fail(CEL_E_SHAPE,
                    "part %d \"%.31s\": its size is %" PRId64 ", but its shape has %" PRId64
                    " elements (separate bounds are possible for at most %d)",
                    p, part->name, part->size, size, CEL_SPACE_BOUNDS_MAX);
  }
  if (part->kind == CEL_DISCRETE && size != 1) {
    return cel_fail(CEL_E_SHAPE, "part %d \"%.31s\": a discrete part must have shape {1}", p,
                    part->name);
  }
  return CEL_OK;
}

static CelStatus check_bounds(const CelSpacePart *part, int p) {
  if (part->kind == CEL_DISCRETE && (part->n < 1 || part->n > INT32_MAX)) {
    return cel_fail(CEL_E_RANGE, "part %d \"%.31s\": n is %" PRId64 "; it must be 1 to 2^31 - 1", p,
                    part->name, part->n);
  }
  if (part->kind != CEL_BOX && part->kind != CEL_MULTI_DISCRETE) return CEL_OK;
  int64_t kept = part->size > CEL_SPACE_BOUNDS_MAX ? 1 : part->size;
  for (int64_t i = 0; i < kept; i++) {
    double low = (double)part->low[i], high = (double)part->high[i];
    if (part->kind == CEL_BOX && !(low <= high)) {
      return cel_fail(CEL_E_RANGE,
                      "part %d \"%.31s\": the bounds [%g, %g] of element %" PRId64
                      " are not in order",
                      p, part->name, low, high, i);
    }
    if (part->type == CEL_U8 && (low < 0.0 || high > 255.0)) {
      return cel_fail(
          CEL_E_RANGE,
          "part %d \"%.31s\": the bounds [%g, %g] do not fit into a byte; they must be 0 to 255", p,
          part->name, low, high);
    }
    const bool whole = high >= 1.0 && high <= 16777216.0 && high - floor(high) <= 0.0;
    if (part->kind == CEL_MULTI_DISCRETE && !whole) {
      return cel_fail(CEL_E_RANGE,
                      "part %d \"%.31s\": entry %" PRId64
                      " has %g actions; it must be a whole number from 1 to 2^24",
                      p, part->name, i, high);
    }
  }
  return CEL_OK;
}

CelStatus cel_space_check(const CelSpace *space) {
  CELI_NEED(space);
  CELI_FLOATS(CELI_IEEE);
  if (space->n_parts < 1 || space->n_parts > CEL_SPACE_PARTS_MAX) {
    return cel_fail(CEL_E_SHAPE, "a space must have 1 to %d parts; this one has %d",
                    CEL_SPACE_PARTS_MAX, space->n_parts);
  }
  for (int p = 0; p < space->n_parts; p++) {
    const CelSpacePart *part = &space->part[p];
    if (memchr(part->name, 0, sizeof part->name) == NULL) {
      return cel_fail(CEL_E_NAME, "part %d: its name has no terminating zero", p);
    }
    if (!type_fits(part)) {
      return cel_fail(CEL_E_TYPE,
                      "part %d \"%s\": the type is wrong; boxes are F32 or U8, discrete parts I32, "
                      "binary parts U8",
                      p, part->name);
    }
    CelStatus status = check_shape(part, p);
    if (status == CEL_OK) status = check_bounds(part, p);
    if (status != CEL_OK) return status;
  }
  return CEL_OK;
}

// ---- layout

static size_t aligned(size_t offset, size_t to) {
  return (offset + to - 1) / to * to;
}

size_t cel_space_offset(const CelSpace *space, int p) {
  CELI_NEED_OR(space, 0);
  size_t offset = 0;
  for (int i = 0;; i++) {
    size_t element = cel_type_size(space->part[i].type);
    offset = aligned(offset, element);
    if (i == p) return offset;
    offset += element * (size_t)space->part[i].size;
  }
}

size_t cel_space_bytes(const CelSpace *space) {
  CELI_NEED_OR(space, 0);
  size_t widest = 1, end = 0;
  for (int p = 0; p < space->n_parts; p++) {
    size_t element = cel_type_size(space->part[p].type);
    if (element > widest) widest = element;
    end = aligned(end, element) + element * (size_t)space->part[p].size;
  }
  return aligned(end, widest);
}

int64_t cel_space_floats(const CelSpace *space) {
  CELI_NEED_OR(space, -1);
  int64_t floats = 0;
  for (int p = 0; p < space->n_parts; p++) {
    const CelSpacePart *part = &space->part[p];
    if (part->kind != CEL_BOX || part->type != CEL_F32) return -1;
    floats += part->size;
  }
  return floats;
}

// ---- descriptions

/// Appends to text at `at` like snprintf. Returns the length of the whole text without truncation.
CEL_PRINTF(4, 5)
static int append(char *text, size_t size, int at, const char *format, ...);

static int append(char *text, size_t size, int at, const char *format, ...) {
  va_list args;
  va_start(args, format);
  size_t used = (size_t)at < size ? (size_t)at : size;
  int more = vsnprintf(size > used ? text + used : NULL, size - used, format, args);
  va_end(args);
  return more < 0 ? at : at + more;
}

static int describe_part(const CelSpacePart *part, char *text, size_t size, int at) {
  switch (part->kind) {
  case CEL_DISCRETE: return append(text, size, at, "Discrete(%" PRId64 ")", part->n);
  case CEL_MULTI_BINARY: return append(text, size, at, "MultiBinary(%" PRId64 ")", part->size);
  case CEL_MULTI_DISCRETE:
    at = append(text, size, at, "MultiDiscrete(");
    for (int64_t i = 0; i < part->size && i < CEL_SPACE_BOUNDS_MAX; i++) {
      at = append(text, size, at, i ? ", %.0f" : "%.0f", (double)part->high[i]);
    }
    return append(text, size, at, ")");
  case CEL_BOX: break;
  }
  at = append(text, size, at, "Box(");
  for (int d = 0; d < part->ndim && d < CEL_SPACE_DIMS_MAX; d++) {
    at = append(text, size, at, d ? ", %" PRId64 : "%" PRId64, part->shape[d]);
  }
  at = append(text, size, at, part->ndim == 1 ? ",)" : ")");
  return part->type == CEL_U8 ? append(text, size, at, " of bytes") : at;
}

int cel_space_describe(const CelSpace *space, char *text, size_t size) {
  CELI_NEED_OR(space, 0);
  if (size > 0) CELI_NEED_OR(text, 0);
  CELI_FLOATS(CELI_IEEE);
  int at = 0;
  if (size > 0) text[0] = 0;
  if (space->n_parts == 1) return describe_part(&space->part[0], text, size, at);
  at = append(text, size, at, "Tuple(");
  for (int p = 0; p < space->n_parts && p < CEL_SPACE_PARTS_MAX; p++) {
    at = append(text, size, at, p ? ", %.31s: " : "%.31s: ", space->part[p].name);
    at = describe_part(&space->part[p], text, size, at);
  }
  return append(text, size, at, ")");
}

// ---- sampling

/// 32-bit words of a stream, four per block.
typedef struct Words {
  CelRng *rng;
  uint32_t word[4];
  int left;
} Words;

static uint32_t next_word(Words *words) {
  if (words->left == 0) {
    cel_rng_block(words->rng, words->word);
    words->left = 4;
  }
  return words->word[4 - words->left--];
}

/// Uniform on [0, n) without bias, by multiplication and rejection.
/// Source: Lemire, "Fast random integer generation in an interval", TOMACS 2019.
static uint32_t below(Words *words, uint32_t n) {
  uint64_t product = (uint64_t)next_word(words) * n;
  if ((uint32_t)product < n) {
    uint32_t floor = (0u - n) % n;
    while ((uint32_t)product < floor) product = (uint64_t)next_word(words) * n;
  }
  return (uint32_t)(product >> 32);
}

/// Uniform between two finite bounds, half-normal from one finite bound, or normal without bounds.
static float sample_box(Words *words, float low, float high) {
  bool from_low = isfinite(low), from_high = isfinite(high);
  if (from_low && from_high) {
    double u = ((double)next_word(words) + 0.5) * 0x1p-32;
    float x = (float)((double)low + u * ((double)high - (double)low));
    return x < low ? low : x > high ? high : x;
  }
  double z = cel_rng_normal(words->rng);
  if (from_low) return (float)((double)low + fabs(z));
  if (from_high) return (float)((double)high - fabs(z));
  return (float)z;
}

static void sample_part(const CelSpacePart *part, uint8_t *out, Words *words) {
  bool one_bound = part->size > CEL_SPACE_BOUNDS_MAX;
  for (int64_t i = 0; i < part->size; i++) {
    int64_t bound = one_bound ? 0 : i;
    switch (part->kind) {
    case CEL_BOX:
      if (part->type == CEL_U8) {
        uint32_t low = (uint32_t)part->low[bound], high = (uint32_t)part->high[bound];
        out[i] = (uint8_t)(low + below(words, high - low + 1));
      } else {
        ((float *)(void *)out)[i] = sample_box(words, part->low[bound], part->high[bound]);
      }
      break;
    case CEL_DISCRETE:
      ((int32_t *)(void *)out)[i] = (int32_t)below(words, (uint32_t)part->n);
      break;
    case CEL_MULTI_DISCRETE:
      ((int32_t *)(void *)out)[i] = (int32_t)below(words, (uint32_t)part->high[bound]);
      break;
    case CEL_MULTI_BINARY: out[i] = (uint8_t)(next_word(words) >> 31); break;
    }
  }
}

void cel_space_sample(const CelSpace *space, void *out, int64_t n, CelRng *rng) {
  CELI_NEED_OR(space, );
  CELI_NEED_OR(out, );
  CELI_NEED_OR(rng, );
  CELI_FLOATS(CELI_IEEE);
  Words words = {.rng = rng, .left = 0};
  const CelSpacePart *part = &space->part[0];
  if (space->n_parts == 1 && part->kind == CEL_DISCRETE) {
    for (int64_t i = 0; i < n; i++)
      ((int32_t *)(void *)out)[i] = (int32_t)below(&words, (uint32_t)part->n);
    return;
  }
  size_t row = cel_space_bytes(space);
  size_t offset[CEL_SPACE_PARTS_MAX];
  for (int p = 0; p < space->n_parts; p++) offset[p] = cel_space_offset(space, p);
  for (int64_t i = 0; i < n; i++) {
    for (int p = 0; p < space->n_parts; p++) {
      sample_part(&space->part[p], (uint8_t *)out + (size_t)i * row + offset[p], &words);
    }
  }
}
