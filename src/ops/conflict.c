/// Conflicts: which operations of a plan need a barrier between them.
///
/// Two operations conflict if two threads may touch the same byte, and one of them writes it. They
/// do not conflict if
/// - both run on the caller's thread only, or
/// - their memory does not overlap, or neither writes where it does, or
/// - both touch it by row, the rows are the same, and the items are split in the same way. Then one
///   thread touches a row in both.
#include "ops/plan.h"

/// Whether all items are in the first thread's slice.
static bool one_slice(const CeliOp *op) {
  return op->cut == CELI_SERIAL || op->of <= op->grain;
}

/// Whether item i of both is in the same thread's slice, for teams of any size.
static bool split_equally(const CeliOp *a, const CeliOp *b) {
  return !one_slice(a) && !one_slice(b) && a->of == b->of && a->at == b->at && a->grain == b->grain;
}

static uintptr_t first_byte(const CeliAccess *x) {
  return (uintptr_t)x->at;
}

/// Bytes from the first to the last that an access may touch.
static size_t extent(const CeliOp *op, const CeliAccess *x) {
  if (x->pattern != CELI_BY_ROW) return x->bytes;
  return op->count > 0 ? (size_t)(op->count - 1) * x->stride + x->width : 0;
}

/// Distance of y's rows from x's of the same number. The strides are equal.
static ptrdiff_t row_distance(const CeliAccess *x, const CeliAccess *y) {
  return (ptrdiff_t)(first_byte(y) - first_byte(x));
}

static bool rows_alike(const CeliAccess *x, const CeliAccess *y) {
  return x->pattern == CELI_BY_ROW && y->pattern == CELI_BY_ROW && x->stride == y->stride &&
         x->stride > 0 && x->width <= x->stride && y->width <= y->stride;
}

/// Whether some row of x and some row of y share a column.
static bool columns_overlap(const CeliAccess *x, const CeliAccess *y) {
  const ptrdiff_t stride = (ptrdiff_t)x->stride, rest = row_distance(x, y) % stride;
  const ptrdiff_t apart = rest < 0 ? rest + stride : rest;
  return apart < (ptrdiff_t)x->width || apart + (ptrdiff_t)y->width > stride;
}

static bool overlap(const CeliOp *a, const CeliAccess *x, const CeliOp *b, const CeliAccess *y) {
  const size_t nx = extent(a, x), ny = extent(b, y);
  if (nx == 0 || ny == 0) return false;
  if (first_byte(x) + nx <= first_byte(y) || first_byte(y) + ny <= first_byte(x)) return false;
  return !rows_alike(x, y) || columns_overlap(x, y);
}

/// Whether row i of x overlaps no row of y but row i.
static bool same_rows(const CeliAccess *x, const CeliAccess *y) {
  const ptrdiff_t stride = (ptrdiff_t)x->stride, apart = row_distance(x, y);
  return rows_alike(x, y) && apart + stride >= (ptrdiff_t)x->width &&
         apart + (ptrdiff_t)y->width <= stride;
}

static bool same_parts(const CeliAccess *x, const CeliAccess *y) {
  return x->pattern == CELI_BY_THREAD && y->pattern == CELI_BY_THREAD && x->at == y->at &&
         x->bytes == y->bytes;
}

static bool accesses_conflict(const CeliOp *a, const CeliAccess *x, const CeliOp *b,
                              const CeliAccess *y) {
  if (!((x->mode | y->mode) & CELI_WRITES) || !overlap(a, x, b, y)) return false;
  return !(split_equally(a, b) && (same_rows(x, y) || same_parts(x, y)));
}

bool celi_ops_conflict(const CeliOp *a, const CeliOp *b) {
  if (one_slice(a) && one_slice(b)) return false;
  if (a->n == 0 || b->n == 0) return true;
  for (int64_t i = 0; i < a->n; i++)
    for (int64_t j = 0; j < b->n; j++)
      if (accesses_conflict(a, &a->access[i], b, &b->access[j])) return true;
  return false;
}

/// A write by row must not reach into the next row.
static bool rows_collide(const CeliAccess *x) {
  return (x->mode & CELI_WRITES) && x->pattern == CELI_BY_ROW && x->width > x->stride;
}

bool celi_op_conflicts_with_itself(const CeliOp *op) {
  if (one_slice(op)) return false;
  for (int64_t i = 0; i < op->n; i++) {
    if (op->count > 1 && rows_collide(&op->access[i])) return true;
    for (int64_t j = 0; j < i; j++)
      if (accesses_conflict(op, &op->access[i], op, &op->access[j])) return true;
  }
  return false;
}
