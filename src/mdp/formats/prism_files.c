/// Finds, reads and writes PRISM's explicit files of an MDP.
///
/// The files are NAME.tra, NAME.lab, and NAME.srew and NAME.trew for a single reward structure. For
/// several structures PRISM writes NAME1.srew, NAME1.trew, NAME2.srew and so on. Each begins with a
/// comment like # Reward structure "time". If NAME1.tra exists, NAME1.srew and NAME1.trew belong to
/// that MDP instead.
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/formats/formats.h"
#include "mdp/formats/prism.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRA, TREW, SREW, LAB };
static const char *const endings[] = {".tra", ".trew", ".srew", ".lab"};

/// A reward structure and its files.
typedef struct Structure {
  int64_t number; ///< from the file names; -1: none
  char name[CEL_TEXT_MAX];
  char *path[4]; ///< .trew and .srew; NULL: missing
} Structure;

typedef struct Files {
  char *stem; ///< the path without its extension
  char *tra, *lab;
  Structure *structure;
  int64_t n, capacity;
} Files;

// ---- paths

static CelStatus join(char **out, const char *stem, const char *number, const char *ending) {
  const size_t room = strlen(stem) + strlen(number) + strlen(ending) + 1;
  CELI_TRY(celi_alloc(out, room, 1, "a path"));
  snprintf(*out, room, "%s%s%s", stem, number, ending);
  return CEL_OK;
}

/// The path without a PRISM extension.
static CelStatus make_stem(const char *path, char **out) {
  const size_t length = strlen(path);
  size_t stem = length;
  for (int i = 0; i < 4; i++) {
    const size_t n = strlen(endings[i]);
    if (length > n && strcmp(path + length - n, endings[i]) == 0) stem = length - n;
  }
  CELI_TRY(celi_alloc(out, stem + 1, 1, "a path"));
  memcpy(*out, path, stem);
  (*out)[stem] = 0;
  return CEL_OK;
}

static void files_free(Files *files) {
  for (int64_t i = 0; i < files->n; i++) {
    for (int k = 0; k < 4; k++) free(files->structure[i].path[k]);
  }
  free(files->structure);
  free(files->stem);
  free(files->tra);
  free(files->lab);
}

static bool is_there(const char *path) {
  return access(path, F_OK) == 0 || errno != ENOENT;
}

// ---- reward structures

/// Finds or creates the structure with that number.
static CelStatus structure_of(Files *files, int64_t number, Structure **out) {
  for (int64_t i = 0; i < files->n; i++) {
    *out = &files->structure[i];
    if ((*out)->number == number) return CEL_OK;
  }
  CELI_TRY(celi_grow(&files->structure, &files->capacity, files->n + 1, sizeof **out,
                     "reward structures"));
  *out = &files->structure[files->n++];
  **out = (Structure){.number = number};
  return CEL_OK;
}

/// Adds a file if it exists. `number` is the number in its name, or "".
static CelStatus add_file(Files *files, const char *number, int which) {
  Structure *structure;
  char *path;
  CELI_TRY(join(&path, files->stem, number, endings[which]));
  if (!is_there(path)) {
    free(path);
    return CEL_OK;
  }
  const CelStatus status =
      structure_of(files, number[0] ? (int64_t)strtol(number, NULL, 10) : -1, &structure);
  if (status != CEL_OK || structure->path[which]) {
    free(path);
    return status;
  }
  structure->path[which] = path;
  return CEL_OK;
}

/// Reads the digits between `base` and `ending`. False if `name` does not have that form.
static bool number_in(const char *name, const char *base, const char *ending, char number[8]) {
  const size_t n = strlen(base), tail = strlen(ending), length = strlen(name);
  if (length <= n + tail || length - n - tail >= 8) return false;
  if (strncmp(name, base, n) != 0 || strcmp(name + length - tail, ending) != 0) return false;
  const size_t digits = length - n - tail;
  memcpy(number, name + n, digits);
  number[digits] = 0;
  if (strspn(number, "0123456789") != digits) return false;
  return digits == 1 || number[0] != '0';
}

/// Adds a file whose name has a number, unless a .tra file with that number exists.
static CelStatus add_numbered(Files *files, const char *base, const char *name) {
  char number[8], *other;
  for (int which = TREW; which <= SREW; which++) {
    if (!number_in(name, base, endings[which], number)) continue;
    CELI_TRY(join(&other, files->stem, number, endings[TRA]));
    const bool foreign = is_there(other);
    free(other);
    if (!foreign) CELI_TRY(add_file(files, number, which));
  }
  return CEL_OK;
}

static int compare(const void *a, const void *b) {
  const Structure *x = a, *y = b;
  return x->number < y->number ? -1 : x->number > y->number;
}

static CelStatus list_numbered(Files *files) {
  const char *slash = strrchr(files->stem, '/'), *base = slash ? slash + 1 : files->stem;
  char *folder = slash ? strndup(files->stem, (size_t)(slash - files->stem + 1)) : strdup(".");
  CelStatus status = CEL_OK;
  if (!folder) return cel_fail(CEL_E_MEMORY, "not enough memory for a path");
  DIR *dir = opendir(folder);
  if (!dir) status = celi_fail_errno(folder, "cannot be searched for reward structures", errno);
  for (const struct dirent *entry; dir && status == CEL_OK && (entry = readdir(dir));) {
    status = add_numbered(files, base, entry->d_name);
  }
  if (dir) closedir(dir);
  free(folder);
  if (files->n > 1) qsort(files->structure, (size_t)files->n, sizeof *files->structure, compare);
  return status;
}

/// Reads the name from the first comments, # Reward structure "NAME". "" if there is none.
static CelStatus read_name(const char *path, char name[CEL_TEXT_MAX]) {
  static const char mark[] = "# Reward structure \"";
  char line[512];
  name[0] = 0;
  FILE *file = fopen(path, "re");
  if (!file) return celi_fail_errno(path, "cannot be opened", errno);
  while (!name[0] && fgets(line, sizeof line, file) && line[0] == '#') {
    char *end = strrchr(line, '"');
    if (strncmp(line, mark, sizeof mark - 1) != 0 || end < line + sizeof mark) continue;
    *end = 0;
    snprintf(name, CEL_TEXT_MAX, "%.*s", CEL_TEXT_MAX - 1, line + sizeof mark - 1);
  }
  fclose(file);
  return CEL_OK;
}

static CelStatus read_names(Structure *structure) {
  char other[CEL_TEXT_MAX] = "";
  if (structure->path[TREW]) CELI_TRY(read_name(structure->path[TREW], structure->name));
  if (structure->path[SREW]) CELI_TRY(read_name(structure->path[SREW], other));
  if (!structure->name[0]) memcpy(structure->name, other, sizeof other);
  if (!other[0] || strcmp(structure->name, other) == 0) return CEL_OK;
  return cel_fail(CEL_E_CORRUPT,
                  "%s is for reward structure \"%s\", but %s is for \"%s\"; they must match",
                  structure->path[TREW], structure->name, structure->path[SREW], other);
}

/// Writes `1 ("time"), 2 ("gain")`, cut to the buffer.
static void list_text(const Files *files, char *text, size_t size) {
  size_t used = 0;
  text[0] = 0;
  for (int64_t i = 0; i < files->n && used < size; i++) {
    const Structure *structure = &files->structure[i];
    const char *between = i > 0 ? ", " : "", *name = structure->name;
    char number[32] = "one without a number";
    if (structure->number >= 0) snprintf(number, sizeof number, "%" PRId64, structure->number);
    used += (size_t)snprintf(text + used, size - used, "%s%s%s%s%s", between, number,
                             name[0] ? " (\"" : "", name, name[0] ? "\")" : "");
  }
}

/// Finds a structure by name, or else by number.
static const Structure *find(const Files *files, const char *wanted) {
  char number[32];
  for (int64_t i = 0; i < files->n; i++) {
    if (strcmp(files->structure[i].name, wanted) == 0) return &files->structure[i];
  }
  for (int64_t i = 0; i < files->n; i++) {
    snprintf(number, sizeof number, "%" PRId64, files->structure[i].number);
    if (files->structure[i].number >= 0 && strcmp(number, wanted) == 0) return &files->structure[i];
  }
  return NULL;
}

/// Picks a structure. -1 if there is none or "none" is wanted; all rewards are then 0.
static CelStatus choose(const Files *files, const char *wanted, int64_t *out) {
  char list[512];
  *out = files->n == 1 ? 0 : -1;
  if (!wanted[0] && files->n <= 1) return CEL_OK;
  list_text(files, list, sizeof list);
  if (!wanted[0]) {
    return cel_fail(CEL_E_ARGUMENT,
                    "%s has %" PRId64
                    " reward structures: %s; set reward to the name or number of one",
                    files->tra, files->n, list);
  }
  const Structure *found = find(files, wanted);
  *out = found ? found - files->structure : -1;
  if (found || strcmp(wanted, "none") == 0) return CEL_OK;
  if (files->n == 0) {
    return cel_fail(CEL_E_NAME,
                    "%s has no reward structure \"%s\", because it has no .srew or .trew file",
                    files->tra, wanted);
  }
  return cel_fail(CEL_E_NAME, "%s has no reward structure \"%s\"; it has %s", files->tra, wanted,
                  list);
}

static CelStatus find_files(Files *files, const char *path) {
  CELI_TRY(make_stem(path, &files->stem));
  CELI_TRY(join(&files->tra, files->stem, "", endings[TRA]));
  CELI_TRY(join(&files->lab, files->stem, "", endings[LAB]));
  CELI_TRY(add_file(files, "", TREW));
  CELI_TRY(add_file(files, "", SREW));
  CELI_TRY(list_numbered(files));
  for (int64_t i = 0; i < files->n; i++) CELI_TRY(read_names(&files->structure[i]));
  return CEL_OK;
}

// ---- reading

static CelStatus read_file(CeliPrismTexts *texts, int which, const char *path) {
  char *data;
  texts->path[which] = path;
  CELI_TRY(celi_text_read(path, &data, &texts->size[which]));
  texts->data[which] = data;
  return CEL_OK;
}

/// Reads the files of a structure. One without a name is named after its number.
static CelStatus read_structure(CeliPrismReward *reward, const Structure *structure) {
  memcpy(reward->name, structure->name, sizeof reward->name);
  if (!reward->name[0] && structure->number >= 0) {
    snprintf(reward->name, sizeof reward->name, "%" PRId64, structure->number);
  } else if (!reward->name[0]) {
    snprintf(reward->name, sizeof reward->name, "reward");
  }
  for (int i = 0; i < 2; i++) {
    char *data;
    reward->path[i] = structure->path[TREW + i];
    if (!reward->path[i]) continue;
    CELI_TRY(celi_text_read(reward->path[i], &data, &reward->size[i]));
    reward->data[i] = data;
  }
  return CEL_OK;
}

static CelStatus read_files(CeliPrismTexts *texts, CeliPrismReward *reward, const Files *files,
                            const char *wanted) {
  CELI_TRY(read_file(texts, TRA, files->tra));
  CELI_TRY(choose(files, wanted, &texts->chosen));
  for (int64_t i = 0; i < files->n; i++) CELI_TRY(read_structure(&reward[i], &files->structure[i]));
  return is_there(files->lab) ? read_file(texts, LAB, files->lab) : CEL_OK;
}

static CelStatus load_files(CelMdp **out, const Files *files, const CelMdpLoadOptions *options) {
  CeliPrismTexts texts = {.rewards = files->n};
  CeliPrismReward *reward;
  CELI_TRY(celi_calloc(&reward, (size_t)files->n, sizeof *reward, "reward structures"));
  texts.reward = reward;
  CelStatus status = read_files(&texts, reward, files, options->reward);
  if (status == CEL_OK) status = celi_mdp_parse_prism(out, &texts, options);
  for (int i = 0; i < 4; i++) free((char *)texts.data[i]);
  for (int64_t i = 0; i < files->n; i++) {
    for (int k = 0; k < 2; k++) free((char *)reward[i].data[k]);
  }
  free(reward);
  return status;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  Files files = {0};
  CelStatus status = find_files(&files, path);
  if (status == CEL_OK) status = load_files(out, &files, options);
  files_free(&files);
  return status;
}

// ---- writing

/// A file to write.
typedef struct Output {
  int which;
  const CelMdpReward *model; ///< of .trew and .srew; NULL: the MDP's own rewards
  char *path;
  CeliWriter writer;
} Output;

typedef struct Outputs {
  Output *file; ///< (n,) .tra is first
  int64_t n;
} Outputs;

static CelStatus add_output(Outputs *outputs, const char *stem, const char *number, int which,
                            const CelMdpReward *model) {
  Output *file = &outputs->file[outputs->n];
  *file = (Output){.which = which, .model = model, .writer = {.fd = -1}};
  CELI_TRY(join(&file->path, stem, number, endings[which]));
  outputs->n++;
  return CEL_OK;
}

/// Lists the files: a structure without a number if there is only one, and numbered ones otherwise.
static CelStatus list_outputs(Outputs *outputs, const char *stem, const CelMdp *mdp) {
  const int64_t K = mdp->reward_models;
  const bool own = K == 0 || celi_explicit_own_rewards(mdp);
  CELI_TRY(celi_calloc(&outputs->file, (size_t)(2 * K + 4), sizeof *outputs->file, "files"));
  CELI_TRY(add_output(outputs, stem, "", TRA, NULL));
  CELI_TRY(add_output(outputs, stem, "", LAB, NULL));
  for (int which = TREW; own && which <= SREW; which++)
    CELI_TRY(add_output(outputs, stem, "", which, NULL));
  for (int64_t i = 0; i < K; i++) {
    char number[24] = "";
    if (K > 1 || own) snprintf(number, sizeof number, "%" PRId64, i + 1);
    for (int which = TREW; which <= SREW; which++)
      CELI_TRY(add_output(outputs, stem, number, which, &mdp->reward_model[i]));
  }
  return CEL_OK;
}

/// Fails if a reward file exists that would belong to the new .tra file but is not replaced.
static CelStatus check_left_over(const Outputs *outputs, const char *path) {
  Files files = {0};
  CelStatus status = find_files(&files, path);
  if (status == CEL_E_CORRUPT) status = CEL_OK; // old files whose names do not match
  for (int64_t i = 0; status == CEL_OK && i < files.n; i++) {
    for (int which = TREW; status == CEL_OK && which <= SREW; which++) {
      const char *old = files.structure[i].path[which];
      bool replaced = old == NULL;
      for (int64_t k = 0; k < outputs->n && !replaced; k++)
        replaced = strcmp(outputs->file[k].path, old) == 0;
      if (!replaced) {
        status = cel_fail(CEL_E_ARGUMENT,
                          "%s exists and would become a reward structure of %s; remove it, or "
                          "write to another name",
                          old, outputs->file[0].path);
      }
    }
  }
  files_free(&files);
  return status;
}

/// Writes all files before replacing any existing one. Replaces .tra last.
static CelStatus write_files(Outputs *outputs, const CelMdp *mdp) {
  for (int64_t i = 0; i < outputs->n; i++) {
    Output *file = &outputs->file[i];
    CELI_TRY(celi_writer_open(&file->writer, file->path));
    CeliOut out = {.writer = &file->writer};
    celi_mdp_emit_prism(&out, mdp, file->which, file->model);
    CELI_TRY(celi_out_finish(&out));
  }
  for (int64_t i = outputs->n - 1; i >= 0; i--)
    CELI_TRY(celi_writer_close(&outputs->file[i].writer));
  return CEL_OK;
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  Outputs outputs = {0};
  char *stem = NULL;
  CELI_TRY(cel_fail_in(celi_mdp_check_prism(mdp), "%s: ", path));
  CelStatus status = make_stem(path, &stem);
  if (status == CEL_OK) status = list_outputs(&outputs, stem, mdp);
  if (status == CEL_OK) status = check_left_over(&outputs, path);
  if (status == CEL_OK) status = write_files(&outputs, mdp);
  for (int64_t i = 0; i < outputs.n; i++) {
    celi_writer_abandon(&outputs.file[i].writer); // those that were not closed
    free(outputs.file[i].path);
  }
  free(outputs.file);
  free(stem);
  return status;
}

/// True if the first line has three whole numbers, like that of a .tra file.
static bool sniff(const char *data, size_t size) {
  CeliScan scan = celi_scan("", data, size);
  CeliWord word[3];
  int count;
  int64_t n;
  if (!celi_scan_line(&scan, word, 3, &count) || count != 3) return false;
  for (int i = 0; i < 3; i++) {
    if (celi_word_index(word[i], &n) == CELI_NUMBER_JUNK) return false;
  }
  return true;
}

const CeliMdpFormat celi_mdp_format_prism = {
    .info = {CEL_MDP_PRISM,
             "prism",
             "PRISM's explicit transitions, with .trew, .srew and .lab files beside them",
             {".tra"},
             {".trew", ".srew", ".lab"}},
    .named_rewards = true,
    .labels = true,
    .sniff = sniff,
    .load = load,
    .save = save};
