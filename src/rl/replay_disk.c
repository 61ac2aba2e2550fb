/// Replay on disk: append-only segments of rows. Contract: replay.h.
///
/// A segment is a safetensors file. "begin" and "end" (N,) I64 are its row numbers of each
/// environment. "rows.E.0" (n, stride) U8 are the rows as they are in memory. "rows.E.1" exists if
/// they wrap around the ring. Metadata: "format", and the layout of a row.
#include "base/base.h"
#include "base/safetensors.h"
#include "celsius/field.h"
#include "celsius/safetensors.h"
#include "rl/replay.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "celsius-replay"
#define ROWS_MAX (INT64_MAX / 2) ///< of all environments together, so that no sum overflows
enum { NAME_MAX_BYTES = 160 };

/// A segment's file: its first row and the row after its last, summed over environments.
typedef struct Segment {
  int64_t begin, end;
  bool temporary; ///< left by a process that was killed while writing
  char name[NAME_MAX_BYTES];
} Segment;

typedef struct Segments {
  Segment *list;
  size_t n, capacity;
} Segments;

static int64_t sum(const int64_t *x, int64_t n) {
  int64_t total = 0;
  for (int64_t i = 0; i < n; i++) total += x[i];
  return total;
}

static CelStatus join(char path[CEL_PATH_MAX], const char *folder, const char *name) {
  if (snprintf(path, CEL_PATH_MAX, "%s/%s", folder, name) >= CEL_PATH_MAX)
    return cel_fail(CEL_E_IO, "%s/%s: this path is too long", folder, name);
  return CEL_OK;
}

// ---- the folder

static int by_rows(const void *a, const void *b) {
  const Segment *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

/// Parses decimal digits up to `stop`, as a number of rows. NULL if they are something else.
static const char *parse_rows(const char *text, char stop, int64_t *out) {
  const char *first = text;
  for (*out = 0; *text >= '0' && *text <= '9'; text++)
    if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *text - '0', out))
      return NULL;
  return text > first && *text == stop ? text + 1 : NULL;
}

/// Parses "rows-BEGIN-END.safetensors", or the name of its temporary file.
static bool parse_name(Segment *segment, const char *name) {
  if (strlen(name) >= NAME_MAX_BYTES || strncmp(name, "rows-", 5) != 0) return false;
  memcpy(segment->name, name, strlen(name) + 1);
  const char *rest = parse_rows(name + 5, '-', &segment->begin);
  if (rest) rest = parse_rows(rest, '.', &segment->end);
  if (!rest || segment->end < segment->begin) return false;
  segment->temporary = strncmp(rest, "safetensors.", 12) == 0 && celi_temporary_is(name);
  return segment->temporary || strcmp(rest, "safetensors") == 0;
}

static CelStatus add_segment(Segments *segments, const char *name) {
  Segment segment;
  if (!parse_name(&segment, name)) return CEL_OK;
  if (segments->n == segments->capacity) {
    const size_t capacity = segments->capacity ? segments->capacity * 2 : 64;
    CELI_TRY(celi_resize(&segments->list, capacity, sizeof(Segment), "a list of replay segments"));
    segments->capacity = capacity;
  }
  segments->list[segments->n++] = segment;
  return CEL_OK;
}

/// Lists the segments of a folder in the order of writing. The caller frees the list, also after an
/// error.
static CelStatus list_segments(Segments *segments, const char *folder) {
  memset(segments, 0, sizeof *segments);
  DIR *dir = opendir(folder);
  if (!dir) return celi_fail_errno(folder, "reading the folder", errno);
  CelStatus status = CEL_OK;
  while (!status) {
    errno = 0;
    const struct dirent *entry = readdir(dir);
    if (!entry) {
      if (errno) status = celi_fail_errno(folder, "reading the folder", errno);
      break;
    }
    status = add_segment(segments, entry->d_name);
  }
  closedir(dir);
  if (!status && segments->n > 0) qsort(segments->list, segments->n, sizeof(Segment), by_rows);
  return status;
}

// ---- writing

static void set_tensor(CelTensor *tensor, const char *name, CelType type, int ndim, int64_t rows,
                       int64_t columns, void *data) {
  memset(tensor, 0, sizeof *tensor);
  snprintf(tensor->name, sizeof tensor->name, "%s", name);
  tensor->type = type;
  tensor->ndim = ndim;
  tensor->shape[0] = rows;
  tensor->shape[1] = columns;
  tensor->size = rows * (ndim == 2 ? columns : 1);
  tensor->data = data;
}

/// Lists rows [begin[e], end[e]) of every ring as one or two tensors, in place. Returns the number
/// of tensors.
static int64_t list_rows(const CeliReplay *replay, CelTensor *list, const int64_t *begin,
                         const int64_t *end) {
  int64_t n = 0;
  for (int64_t e = 0; e < replay->N; e++) {
    int64_t first = begin[e];
    for (int piece = 0; piece < 2 && (piece == 0 || first < end[e]); piece++) {
      const int64_t to_wrap = replay->R - first % replay->R;
      const int64_t rows = end[e] - first < to_wrap ? end[e] - first : to_wrap;
      char name[CEL_NAME_MAX];
      snprintf(name, sizeof name, "rows.%" PRId64 ".%d", e, piece);
      set_tensor(&list[n++], name, CEL_U8, 2, rows, (int64_t)replay->stride,
                 celi_replay_row(replay, e, first));
      first += rows;
    }
  }
  return n;
}

/// The layout of a row as metadata. Segments of another layout do not fit these rings.
typedef struct Layout {
  char obs_bytes[24], action_bytes[24], stride[24];
} Layout;

static Layout layout_of(const CeliReplay *replay) {
  Layout layout;
  snprintf(layout.obs_bytes, sizeof layout.obs_bytes, "%zu", replay->obs_bytes);
  snprintf(layout.action_bytes, sizeof layout.action_bytes, "%zu", replay->action_bytes);
  snprintf(layout.stride, sizeof layout.stride, "%zu", replay->stride);
  return layout;
}

static CelStatus write_segment(const CeliReplay *replay, const CeliFolder *folder, const char *name,
                               int64_t *begin, int64_t *end) {
  CelTensor *list;
  CELI_TRY(celi_alloc(&list, (size_t)(2 * replay->N + 2), sizeof *list, "a list of replay rows"));
  set_tensor(&list[0], "begin", CEL_I64, 1, replay->N, 0, begin);
  set_tensor(&list[1], "end", CEL_I64, 1, replay->N, 0, end);
  const int64_t n = 2 + list_rows(replay, list + 2, begin, end);
  const Layout layout = layout_of(replay);
  const CelMeta meta[] = {{"format", FORMAT},
                          {"obs_bytes", layout.obs_bytes},
                          {"action_bytes", layout.action_bytes},
                          {"stride", layout.stride}};
  const CelStatus status = celi_safetensors_write_in(folder, name, list, n, meta, 4);
  free(list);
  return status;
}

/// Removes unfinished files, and segments beyond the chain's end (in rows of all environments)
/// except the newest.
static CelStatus remove_stale(const CeliFolder *folder, int64_t chain_end, const char *newest) {
  Segments segments;
  CelStatus status = list_segments(&segments, folder->path);
  for (size_t i = 0; !status && i < segments.n; i++) {
    const Segment *segment = &segments.list[i];
    if ((segment->end > chain_end && strcmp(segment->name, newest) != 0) || segment->temporary)
      status = celi_folder_remove(folder, segment->name);
  }
  free(segments.list);
  return status;
}

static CelStatus save_range(const CeliReplay *replay, const CeliFolder *folder, int64_t *saved,
                            int64_t *begin) {
  int64_t *end = replay->head;
  for (int64_t e = 0; e < replay->N; e++) {
    const int64_t oldest = end[e] > replay->R ? end[e] - replay->R : 0;
    CEL_ASSERT(saved[e] >= 0 && saved[e] <= end[e]);
    begin[e] = saved[e] > oldest ? saved[e] : oldest;
  }
  char name[NAME_MAX_BYTES];
  snprintf(name, sizeof name, "rows-%012" PRId64 "-%012" PRId64 ".safetensors",
           sum(begin, replay->N), sum(end, replay->N));
  CELI_TRY(write_segment(replay, folder, name, begin, end));
  CELI_TRY(remove_stale(folder, sum(saved, replay->N) + replay->N, name));
  for (int64_t e = 0; e < replay->N; e++) saved[e] = end[e] - 1;
  return CEL_OK;
}

CelStatus celi_replay_save_in(const CeliReplay *replay, const CeliFolder *folder, int64_t *saved) {
  if (sum(replay->head, replay->N) == 0) return CEL_OK;
  int64_t *begin;
  CELI_TRY(celi_alloc(&begin, (size_t)replay->N, sizeof *begin, "replay rows"));
  const CelStatus status = save_range(replay, folder, saved, begin);
  free(begin);
  return status;
}

CelStatus celi_replay_save(const CeliReplay *replay, const char *path, int64_t *saved) {
  CeliFolder folder;
  if (sum(replay->head, replay->N) == 0) return CEL_OK;
  if (mkdir(path, 0777) != 0 && errno != EEXIST)
    return celi_fail_errno(path, "creating the folder", errno);
  CELI_TRY(celi_folder_open(&folder, path));
  const CelStatus status = celi_replay_save_in(replay, &folder, saved);
  celi_folder_close(&folder);
  return status;
}

// ---- reading

/// A required tensor of this shape. columns = 0: one dimension.
static CelStatus want(const CelSafetensors *file, const char *name, CelType type, int64_t rows,
                      int64_t columns, const void **data) {
  *data = NULL;
  const CelTensor *tensor = cel_safetensors_find(file, name);
  if (!tensor) return cel_fail(CEL_E_FORMAT, "tensor \"%s\" is missing", name);
  const int ndim = columns ? 2 : 1;
  if (tensor->type != type || tensor->ndim != ndim || tensor->shape[0] != rows ||
      (columns && tensor->shape[1] != columns))
    return cel_fail(CEL_E_FORMAT, "tensor \"%s\" must be %s with %lld rows of %lld elements", name,
                    cel_type_name(type), (long long)rows, (long long)(columns ? columns : 1));
  *data = tensor->data;
  return CEL_OK;
}

static bool meta_is(const CelSafetensors *file, const char *key, const char *value) {
  const char *text = cel_safetensors_meta(file, key);
  return text && strcmp(text, value) == 0;
}

/// The rows of each environment in a segment.
static CelStatus read_bounds(const CelSafetensors *file, const CeliReplay *replay,
                             const int64_t **begin, const int64_t **end) {
  const Layout layout = layout_of(replay);
  if (!meta_is(file, "format", FORMAT))
    return cel_fail(CEL_E_FORMAT,
                    "this is not a replay segment (metadata \"format\" is not \"%s\")", FORMAT);
  if (!meta_is(file, "obs_bytes", layout.obs_bytes) ||
      !meta_is(file, "action_bytes", layout.action_bytes) ||
      !meta_is(file, "stride", layout.stride))
    return cel_fail(CEL_E_FORMAT, "the rows have other observations or actions than this agent");
  const void *b, *n;
  CELI_TRY(want(file, "begin", CEL_I64, replay->N, 0, &b));
  CELI_TRY(want(file, "end", CEL_I64, replay->N, 0, &n));
  CEL_ASSERT(b != NULL && n != NULL);
  *begin = b;
  *end = n;
  for (int64_t e = 0; e < replay->N; e++)
    if ((*begin)[e] < 0 || (*end)[e] < (*begin)[e] || (*end)[e] - (*begin)[e] > replay->R ||
        (*end)[e] > ROWS_MAX / replay->N)
      return cel_fail(CEL_E_FORMAT,
                      "rows %lld to %lld of environment %lld do not fit into the replay buffer",
                      (long long)(*begin)[e], (long long)(*end)[e] - 1, (long long)e);
  return CEL_OK;
}

static CelStatus open_segment(CelSafetensors **file, const char *folder, const Segment *segment,
                              const CeliReplay *replay, const int64_t **begin,
                              const int64_t **end) {
  char path[CEL_PATH_MAX];
  *file = NULL;
  *begin = *end = NULL;
  CELI_TRY(join(path, folder, segment->name));
  CELI_TRY(cel_safetensors_open(path, file));
  CelStatus status = read_bounds(*file, replay, begin, end);
  if (!status) {
    CEL_ASSERT(*begin != NULL && *end != NULL);
    if (sum(*begin, replay->N) != segment->begin || sum(*end, replay->N) != segment->end)
      status = cel_fail(CEL_E_FORMAT, "the rows do not match the name of the file");
  }
  if (!status) return CEL_OK;
  cel_safetensors_close(*file);
  return cel_fail_in(status, "%s: ", path);
}

/// First row that a checkpoint at `head` needs.
static int64_t oldest_row(const CeliReplay *replay, int64_t head) {
  return head > replay->R ? head - replay->R : 0;
}

/// Copies rows [begin, end) of environment e, as far as the ring still holds them.
static CelStatus copy_rows(CeliReplay *replay, const CelSafetensors *file, int64_t e, int64_t begin,
                           int64_t end) {
  const int64_t oldest = oldest_row(replay, replay->head[e]);
  int64_t first = begin;
  for (int piece = 0; piece < 2 && first < end; piece++) {
    const int64_t to_wrap = replay->R - first % replay->R;
    const int64_t rows = end - first < to_wrap ? end - first : to_wrap;
    char name[CEL_NAME_MAX];
    snprintf(name, sizeof name, "rows.%" PRId64 ".%d", e, piece);
    const void *data;
    CELI_TRY(want(file, name, CEL_U8, rows, (int64_t)replay->stride, &data));
    const int64_t skip = oldest > first ? (oldest - first < rows ? oldest - first : rows) : 0;
    if (rows > skip)
      memcpy(celi_replay_row(replay, e, first + skip),
             (const uint8_t *)data + (size_t)skip * replay->stride,
             (size_t)(rows - skip) * replay->stride);
    first += rows;
  }
  return CEL_OK;
}

static CelStatus gap(const CeliReplay *replay, const char *folder, int64_t e, int64_t from,
                     int64_t to) {
  return cel_fail(CEL_E_FORMAT,
                  "%s: rows %lld to %lld of environment %lld are missing; the checkpoint needs "
                  "rows %lld to %lld",
                  folder, (long long)from, (long long)to, (long long)e,
                  (long long)oldest_row(replay, replay->head[e]), (long long)replay->head[e] - 1);
}

/// Reads one segment into the rings if it is not beyond the heads. reached (N,): rows read so far.
static CelStatus load_segment(CeliReplay *replay, const char *folder, const Segment *segment,
                              int64_t *reached) {
  CelSafetensors *file;
  const int64_t *begin, *end;
  CELI_TRY(open_segment(&file, folder, segment, replay, &begin, &end));
  bool beyond = false;
  for (int64_t e = 0; e < replay->N; e++) beyond = beyond || end[e] > replay->head[e];
  CelStatus status = CEL_OK;
  for (int64_t e = 0; !beyond && !status && e < replay->N; e++) {
    // The last row read so far may be incomplete.
    int64_t whole = reached[e] > 0 ? reached[e] - 1 : 0;
    const int64_t oldest = oldest_row(replay, replay->head[e]);
    if (whole < oldest) whole = oldest;
    if (begin[e] > whole)
      status = gap(replay, folder, e, whole, begin[e] - 1);
    else
      status = copy_rows(replay, file, e, begin[e], end[e]);
    if (!status && end[e] > reached[e]) reached[e] = end[e];
  }
  cel_safetensors_close(file);
  return status;
}

/// Errors: CEL_E_CORRUPT: a discrete action that does not exist, which would be an index outside of
/// an array.
static CelStatus check_choice(const CeliReplay *replay, const char *folder, int64_t e, int64_t s) {
  int32_t action;
  if (replay->choices == 0) return CEL_OK;
  memcpy(&action, celi_replay_row(replay, e, s) + replay->action_at, sizeof action);
  if (action >= 0 && action < replay->choices) return CEL_OK;
  return cel_fail(CEL_E_CORRUPT,
                  "%s: row %lld of environment %lld holds action %d; valid actions are 0 to %lld",
                  folder, (long long)s, (long long)e, (int)action, (long long)replay->choices - 1);
}

/// Checks flags, discrete actions, the newest row's flag, and the number of transitions.
static CelStatus check_rows(const CeliReplay *replay, const char *folder) {
  for (int64_t e = 0; e < replay->N; e++) {
    const int64_t head = replay->head[e];
    for (int64_t s = oldest_row(replay, head); s < head; s++) {
      const uint8_t flag = celi_replay_row(replay, e, s)[replay->flag_at];
      if (flag > CELI_ROW_TRUNCATED || (s == head - 1 && flag != CELI_ROW_END))
        return cel_fail(CEL_E_CORRUPT, "%s: row %lld of environment %lld has the invalid flag %d",
                        folder, (long long)s, (long long)e, flag);
      if (flag != CELI_ROW_END) CELI_TRY(check_choice(replay, folder, e, s));
    }
  }
  const int64_t count = celi_replay_count(replay);
  if (count != *replay->transitions)
    return cel_fail(CEL_E_CORRUPT,
                    "%s: the segments hold %lld transitions, but the checkpoint has %lld", folder,
                    (long long)count, (long long)*replay->transitions);
  return CEL_OK;
}

static CelStatus load_all(CeliReplay *replay, const char *folder, const Segments *segments,
                          int64_t *reached) {
  const int64_t end = sum(replay->head, replay->N);
  memset(reached, 0, (size_t)replay->N * sizeof *reached);
  for (size_t i = 0; i < segments->n; i++)
    if (segments->list[i].end <= end && !segments->list[i].temporary)
      CELI_TRY(load_segment(replay, folder, &segments->list[i], reached));
  for (int64_t e = 0; e < replay->N; e++)
    if (reached[e] < replay->head[e]) {
      const int64_t oldest = oldest_row(replay, replay->head[e]);
      return gap(replay, folder, e, reached[e] > oldest ? reached[e] : oldest, replay->head[e] - 1);
    }
  return check_rows(replay, folder);
}

static CelStatus check_heads(const CeliReplay *replay) {
  for (int64_t e = 0; e < replay->N; e++)
    if (replay->head[e] < 0 || replay->head[e] > ROWS_MAX / replay->N)
      return cel_fail(CEL_E_CORRUPT, "replay.head of environment %lld is %lld, which is impossible",
                      (long long)e, (long long)replay->head[e]);
  return CEL_OK;
}

CelStatus celi_replay_load(CeliReplay *replay, const char *folder, int64_t *saved) {
  Segments segments = {0};
  celi_replay_clear_flags(replay);
  memset(saved, 0, (size_t)replay->N * sizeof *saved);
  CelStatus status = check_heads(replay);
  if (!status && sum(replay->head, replay->N) > 0) status = list_segments(&segments, folder);
  if (!status) status = load_all(replay, folder, &segments, saved);
  free(segments.list);
  if (status) celi_replay_reset(replay);
  for (int64_t e = 0; e < replay->N; e++) saved[e] = replay->head[e] > 0 ? replay->head[e] - 1 : 0;
  return status;
}

// ---- pruning

/// Whether a checkpoint with these heads (N,) needs a segment, for its complete rows or for the
/// newest row.
static bool needs(const CeliReplay *replay, const int64_t *heads, const int64_t *end) {
  for (int64_t e = 0; e < replay->N; e++)
    if (end[e] >= heads[e] || end[e] - 2 >= oldest_row(replay, heads[e])) return true;
  return false;
}

/// Whether a segment may be unnecessary, by the sums in its name. `oldest` is the sum of each
/// checkpoint over all environments. Only such segments are opened.
static bool may_go(const CeliReplay *replay, const Segment *segment, const int64_t *heads,
                   int64_t n_heads) {
  if (segment->temporary) return false;
  for (int64_t h = 0; h < n_heads; h++) {
    int64_t oldest = 0;
    for (int64_t e = 0; e < replay->N; e++) oldest += oldest_row(replay, heads[h * replay->N + e]);
    if (segment->end - replay->N > oldest) return false;
  }
  return n_heads > 0;
}

static CelStatus prune_segment(const CeliReplay *replay, const CeliFolder *folder,
                               const Segment *segment, const int64_t *heads, int64_t n_heads) {
  CelSafetensors *file;
  const int64_t *begin, *end;
  const CelStatus status = open_segment(&file, folder->path, segment, replay, &begin, &end);
  // A segment that cannot be read stays. Loading reports it if it is needed.
  if (status) return status == CEL_E_CORRUPT || status == CEL_E_FORMAT ? CEL_OK : status;
  CEL_ASSERT(end != NULL);
  bool needed = false;
  for (int64_t h = 0; h < n_heads; h++)
    needed = needed || needs(replay, heads + h * replay->N, end);
  cel_safetensors_close(file);
  return needed ? CEL_OK : celi_folder_remove(folder, segment->name);
}

CelStatus celi_replay_prune(const CeliReplay *replay, const CeliFolder *folder,
                            const int64_t *heads, int64_t n_heads) {
  for (int64_t i = 0; i < n_heads * replay->N; i++)
    if (heads[i] < 0 || heads[i] > ROWS_MAX / replay->N)
      return cel_fail(CEL_E_CORRUPT, "replay.head in the checkpoint is %lld, which is impossible",
                      (long long)heads[i]);
  Segments segments;
  CelStatus status = list_segments(&segments, folder->path);
  for (size_t i = 0; !status && i < segments.n; i++)
    if (may_go(replay, &segments.list[i], heads, n_heads))
      status = prune_segment(replay, folder, &segments.list[i], heads, n_heads);
  free(segments.list);
  return status;
}
