/// The table of file formats. Loading and saving use it.
///
/// To add a format, add a file in this folder, a value of CelMdpFormat, and a row below. The format
/// of a file follows from its name, or else from its first bytes.
#include "base/arguments.h"
#include "base/base.h"
#include "mdp/formats/formats.h"
#include "mdp/model.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/// Sniffed in this order.
static const CeliMdpFormat *const formats[] = {
    &celi_mdp_format_safetensors, &celi_mdp_format_gymnasium, &celi_mdp_format_cassandra,
    &celi_mdp_format_prism,       &celi_mdp_format_umb,       &celi_mdp_format_drn,
    &celi_mdp_format_storm,       &celi_mdp_format_petsc,
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

const CelMdpFormatInfo *cel_mdp_format_at(int i) {
  return i >= 0 && i < FORMATS ? &formats[i]->info : NULL;
}

static const CeliMdpFormat *by_number(CelMdpFormat format) {
  for (int i = 0; i < FORMATS; i++)
    if (formats[i]->info.format == format) return formats[i];
  return NULL;
}

static bool ends_with(const char *path, const char *extension) {
  const size_t n = strlen(path), end = strlen(extension);
  return n >= end && strcasecmp(path + n - end, extension) == 0;
}

static bool has_extension(const CelMdpFormatInfo *info, const char *path) {
  for (int i = 0; info->extensions[i]; i++)
    if (ends_with(path, info->extensions[i])) return true;
  for (int i = 0; info->companions[i]; i++)
    if (ends_with(path, info->companions[i])) return true;
  return false;
}

static const CeliMdpFormat *by_name(const char *path) {
  for (int i = 0; i < FORMATS; i++)
    if (has_extension(&formats[i]->info, path)) return formats[i];
  return NULL;
}

static int count_by_name(const char *path) {
  int n = 0;
  for (int i = 0; i < FORMATS; i++) n += has_extension(&formats[i]->info, path);
  return n;
}

/// Of the formats with that extension the first whose first bytes match, or else the first.
static const CeliMdpFormat *by_both(const char *path, const char *data, size_t size) {
  for (int i = 0; i < FORMATS; i++)
    if (has_extension(&formats[i]->info, path) && formats[i]->sniff(data, size)) return formats[i];
  return by_name(path);
}

static const CeliMdpFormat *by_bytes(const char *data, size_t size) {
  for (int i = 0; i < FORMATS; i++)
    if (formats[i]->sniff(data, size)) return formats[i];
  return NULL;
}

/// Writes "a, b or c", cut to the buffer.
static const char *join(char *text, size_t size, const char *const *name, int n) {
  size_t used = 0;
  text[0] = 0;
  for (int i = 0; i < n && used < size; i++) {
    const char *before = i == 0 ? "" : i + 1 < n ? ", " : " or ";
    used += (size_t)snprintf(text + used, size - used, "%s%s", before, name[i]);
  }
  return text;
}

enum { LIST_MAX = 200 };

/// All extensions that can be saved, for messages.
static const char *list_extensions(char text[LIST_MAX]) {
  const char *all[3 * FORMATS];
  int n = 0;
  for (int i = 0; i < FORMATS; i++)
    for (int k = 0; formats[i]->info.extensions[k]; k++) all[n++] = formats[i]->info.extensions[k];
  return join(text, LIST_MAX, all, n);
}

/// For a CelMdpFormat that is not in the table.
static CelStatus fail_unknown(const char *path, CelMdpFormat format) {
  char text[LIST_MAX];
  const char *names[FORMATS];
  for (int i = 0; i < FORMATS; i++) names[i] = formats[i]->info.name;
  return cel_fail(CEL_E_ARGUMENT, "%s: %d is not a CelMdpFormat; the formats are %s", path,
                  (int)format, join(text, LIST_MAX, names, FORMATS));
}

/// Reads the first bytes of a file, at most `room`.
static CelStatus read_beginning(const char *path, char *data, size_t room, size_t *size) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return celi_fail_errno(path, "cannot be opened", errno);
  *size = 0;
  for (ssize_t n = 1; n > 0 && *size < room;) {
    n = read(fd, data + *size, room - *size);
    if (n < 0 && errno == EINTR) {
      n = 1;
      continue;
    }
    if (n < 0) {
      const int error = errno;
      close(fd);
      return celi_fail_errno(path, "cannot be read", error);
    }
    *size += (size_t)n;
  }
  close(fd);
  return CEL_OK;
}

static CelStatus find_format(const char *path, CelMdpFormat given, const CeliMdpFormat **format) {
  char data[4096], text[LIST_MAX];
  size_t size = 0;
  struct stat info;
  if (given != CEL_MDP_AUTO) {
    *format = by_number(given);
    return *format ? CEL_OK : fail_unknown(path, given);
  }
  const int named = count_by_name(path);
  if (named == 1) *format = by_name(path);
  if (named == 1) return CEL_OK;
  if (named == 0 && stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
    return cel_fail(CEL_E_FORMAT,
                    "%s: the format of a pipe or device cannot be detected, because it can be read "
                    "only once; give its format",
                    path);
  }
  CELI_TRY(read_beginning(path, data, sizeof data, &size));
  if (named > 1) {
    *format = by_both(path, data, size);
    return CEL_OK;
  }
  if ((*format = by_bytes(data, size))) return CEL_OK;
  return cel_fail(CEL_E_FORMAT,
                  "%s: neither the name nor the first bytes match a format of finite MDPs; give "
                  "the format, or use a name that ends in %s",
                  path, list_extensions(text));
}

CelStatus celi_load_choose(const char *file, const CelMdpLoadOptions *options, double *discount,
                           int64_t *horizon) {
  if (options->horizon < -1) {
    return cel_fail(
        CEL_E_RANGE,
        "%s: horizon %" PRId64
        " is out of range; it must be a number of steps, 0 for infinite, or -1 for the file's own",
        file, options->horizon);
  }
  if (options->horizon >= 0) *horizon = options->horizon;
  if (!isnan(options->discount)) *discount = options->discount;
  if (!isnan(*discount)) return CEL_OK;
  return cel_fail(CEL_E_RANGE,
                  "%s: the file has no discount; set one in [0, 1] (solve: --gamma; "
                  "environment mdp: --env.discount)",
                  file);
}

CelMdpLoadOptions cel_mdp_load_options_default(void) {
  return (CelMdpLoadOptions){.format = CEL_MDP_AUTO, .discount = (double)NAN, .horizon = -1};
}

CelStatus cel_mdp_load(CelMdp **out, const char *path, CelMdpFormat format, double discount) {
  CELI_NEED(out);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  CelMdpLoadOptions options = cel_mdp_load_options_default();
  options.format = format;
  options.discount = discount;
  return cel_mdp_load_with(out, path, &options);
}

static CelStatus check_reward_option(const char *path, const CelMdpLoadOptions *options,
                                     const CeliMdpFormat *format) {
  if (memchr(options->reward, 0, sizeof options->reward) == NULL) {
    return cel_fail(CEL_E_ARGUMENT, "%s: the name of the reward model has no terminating NUL",
                    path);
  }
  if (options->reward[0] == 0 || format->named_rewards) return CEL_OK;
  return cel_fail(CEL_E_ARGUMENT,
                  "%s: reward model \"%s\": %s files have no named rewards; leave it out", path,
                  options->reward, format->info.name);
}

CelStatus cel_mdp_load_with(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  CELI_NEED(out);
  CELI_NEED(path);
  CELI_NEED(options);
  CELI_FLOATS(CELI_IEEE);
  const CeliMdpFormat *format;
  CELI_TRY(find_format(path, options->format, &format));
  CELI_TRY(check_reward_option(path, options, format));
  return format->load(out, path, options);
}

/// True for the label "deadlock" if only terminal states have it. Explicit formats give it to them.
static bool is_implied(const CelMdp *mdp, const CelMdpLabel *label) {
  if (strcmp(label->name, "deadlock") != 0) return false;
  for (int64_t s = 0; s < mdp->states; s++)
    if (label->in[s] && mdp->pair[s + 1] > mdp->pair[s]) return false;
  return true;
}

/// For a format without labels and reward models.
static CelStatus check_names(const CelMdp *mdp, const char *path, const CeliMdpFormat *format) {
  const int64_t models = mdp->reward_models - (mdp->reward_chosen ? 1 : 0);
  int64_t labels = 0;
  for (int64_t i = 0; i < mdp->labels; i++) labels += !is_implied(mdp, &mdp->label[i]);
  if (labels == 0 && models <= 0) return CEL_OK;
  return cel_fail(
      CEL_E_UNSUPPORTED,
      "%s: %s files cannot keep the problem's %" PRId64 " label%s and %" PRId64
      " reward model%s that %s not selected; leave them out (solve: --save-labels false) "
      "or write .safetensors",
      path, format->info.name, labels, celi_s(labels), models, celi_s(models),
      models == 1 ? "is" : "are");
}

CelStatus cel_mdp_save(const CelMdp *mdp, const char *path, CelMdpFormat format) {
  CELI_NEED(mdp);
  CELI_NEED(mdp->pair);
  CELI_NEED(path);
  CELI_FLOATS(CELI_IEEE);
  char text[LIST_MAX];
  const CeliMdpFormat *found = format == CEL_MDP_AUTO ? by_name(path) : by_number(format);
  if (!found && format != CEL_MDP_AUTO) return fail_unknown(path, format);
  if (!found) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: the name does not determine the format; use a "
                    "name that ends in %s",
                    path, list_extensions(text));
  }
  CELI_TRY(cel_fail_in(cel_mdp_check(mdp), "%s: not written: ", path));
  if (!found->labels) CELI_TRY(check_names(mdp, path, found));
  return found->save(mdp, path);
}
