/* Opens the detail model of an instrument: its tensors, checked as in detail_model/model.py. */
#include "detail.h"

#include "file.h"
#include "view.h"

static const float HIGH_HZ = 3000.0f;
const float BAND_KNOT[BAND_KNOTS] = {0.0f, 0.05f, 0.125f, 0.25f, 0.375f, 0.5f, 0.625f, 0.75f, 0.875f, 1.0f};
const float FRAME_KNOT[FRAME_KNOTS] = {0.0f, 3.0f, 8.0f, 20.0f, 60.0f, 160.0f};

int knot_of(float position, const float *knots, int count, float *share) {
  int upper = 1;
  while (upper < count - 1 && knots[upper] < position) upper++;
  float part = (position - knots[upper - 1]) / (knots[upper] - knots[upper - 1]);
  *share = part > 0.0f ? (part < 1.0f ? part : 1.0f) : 0.0f;
  return upper;
}

float row_sum(const float *x, size_t n) {
  float lanes[8] = {0};
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t k = 0; k < 8; k++) lanes[k] += x[i + k];
  for (; i < n; i++) lanes[i % 8] += x[i];
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

float row_largest(const float *x, size_t n) {
  float lanes[8], most = n > 0 ? x[0] : 0.0f;
  for (size_t k = 0; k < 8; k++) lanes[k] = most;
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t k = 0; k < 8; k++) lanes[k] = x[i + k] > lanes[k] ? x[i + k] : lanes[k];
  for (; i < n; i++) lanes[0] = x[i] > lanes[0] ? x[i] : lanes[0];
  for (size_t k = 0; k < 8; k++) most = lanes[k] > most ? lanes[k] : most;
  return most;
}

/* The rows of the file's categories: 1 + place among those with tables of their own. */
static Status read_rows(Detail *detail, const File *file, size_t *tables, Arena *arena) {
  const Json *names = json_at(file_header(file), "detail_categories");
  size_t count = json_kind(names) == JSON_ARRAY ? json_count(names) : 0;
  detail->categories = category_count(file);
  int *row = TAKE(arena, int, detail->categories + 1);
  if (row == NULL) return TS_MEMORY;
  for (size_t i = 0; i <= detail->categories; i++) row[i] = 0;
  *tables = 1;
  for (size_t i = 0; i < count; i++) {
    if (json_kind(json_item(names, i)) != JSON_TEXT) continue;
    int index = category_of(file, json_item(names, i));
    if (index >= 0 && (size_t)index < detail->categories && row[index] == 0) row[index] = (int)*tables;
    ++*tables;
  }
  detail->row = row;
  return TS_OK;
}

/* Rise times; one map for all categories in files of earlier versions. */
static Status read_rises(Detail *detail, const File *file, size_t tables, Arena *arena) {
  const Tensor *tensor = file_tensor(file, "detail.rises");
  const int64_t shape[3] = {(int64_t)tables, 2, RISES};
  if (tensor == NULL || tensor->axes != 2) return file_floats(file, "detail.rises", 3, shape, -20.0f, 20.0f, &detail->rises, arena);
  const float *one;
  Status status = file_floats(file, "detail.rises", 2, shape + 1, -20.0f, 20.0f, &one, arena);
  if (status != TS_OK) return status;
  float *all = TAKE(arena, float, tables * 2 * RISES);
  if (all == NULL) return TS_MEMORY;
  for (size_t i = 0; i < tables; i++) __builtin_memcpy(all + i * 2 * RISES, one, 2 * RISES * sizeof *one);
  detail->rises = all;
  return TS_OK;
}

static Status read_tensors(Detail *detail, const File *file, Arena *arena) {
  size_t tables = 0;
  Status status = read_rows(detail, file, &tables, arena);
  const int64_t dims = detail->dims, rows = (int64_t)tables;
  const float most = 3e38f;
  const struct {
    const char *name;
    int axes;
    int64_t shape[3];
    float low, high;
    const float **out;
  } tensors[] = {
      {"detail.centre", 1, {dims}, -most, most, &detail->centre},
      {"detail.spread", 1, {dims}, 1e-4f, 1e6f, &detail->spread},
      {"detail.gain", 1, {dims + 1}, -most, most, &detail->gain},
      {"detail.gain_range", 1, {2}, -200, 200, &detail->gain_range},
      {"detail.fast", 3, {dims + 1, BAND_KNOTS, FRAME_KNOTS}, -most, most, &detail->fast},
      {"detail.fast_range", 3, {2, BAND_KNOTS, FRAME_KNOTS}, -12, 5, &detail->fast_range},
      {"detail.fast_rest", 2, {BAND_KNOTS, FRAME_KNOTS}, 0, 2, &detail->fast_rest},
      {"detail.slow", 3, {dims + 1, BAND_KNOTS, FRAME_KNOTS}, -most, most, &detail->slow},
      {"detail.slow_range", 3, {2, BAND_KNOTS, FRAME_KNOTS}, -12, 5, &detail->slow_range},
      {"detail.slow_rest", 2, {BAND_KNOTS, FRAME_KNOTS}, 0, 2, &detail->slow_rest},
      {"detail.shares", 3, {2, BAND_KNOTS, FRAME_KNOTS}, 0, 1, &detail->shares},
      {"detail.kernel", 2, {3, BAND_KNOTS}, -2, 2, &detail->kernel},
      {"detail.neighbours", 1, {BAND_KNOTS}, -2, 2, &detail->neighbours},
      {"detail.skew", 1, {BAND_KNOTS}, 0.01f, 1, &detail->skew},
      {"detail.bias", 1, {LEVEL_KNOTS}, -200, 200, &detail->bias},
      {"detail.scale", 1, {LEVEL_KNOTS}, 0, 10, &detail->scale},
      {"detail.tonal", 0, {0}, 0, 2, &detail->tonal},
      {"detail.lift", 0, {0}, -20, 20, &detail->lift},
      {"detail.points", 2, {GROUP_KNOTS, LEVEL_KNOTS}, -400, 400, &detail->points},
      {"detail.attack", 3, {rows, ATTACK_FRAMES, LEVEL_KNOTS}, -400, 400, &detail->attack},
      {"detail.limits", 3, {rows, 2, TRAITS}, -most, most, &detail->limits},
  };
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors && status == TS_OK; i++)
    status = file_floats(file, tensors[i].name, tensors[i].axes, tensors[i].shape, tensors[i].low, tensors[i].high, tensors[i].out, arena);
  return status == TS_OK ? read_rises(detail, file, tables, arena) : status;
}

Status detail_open(Detail **out, const File *file, Arena *arena) {
  *out = NULL;
  if (file_tensor(file, "detail.centre") == NULL && file_tensor(file, "detail.fast") == NULL) return TS_OK;
  Detail *detail = TAKE(arena, Detail, 1);
  if (detail == NULL) return TS_MEMORY;
  *detail = (Detail){0};
  int64_t dims;
  if (!json_whole(json_at(file_header(file), "settings.model.dims"), 1, MOST_DIMS, &dims))
    return file_fault(file, TS_DAMAGED, "settings.model.dims is no whole number from 1 to 1024; the file is damaged");
  detail->dims = (int)dims;
  View view;
  Status status = view_open(&view, file, arena);
  if (status != TS_OK) return status;
  detail->floor = (float)view.floor;
  detail->frames_per_second = (double)view.rate / view.hop;
  detail->bands = detail->high_band = view.bands;
  while (detail->high_band > 0 && (float)view_centre(&view, detail->high_band - 1) >= HIGH_HZ) detail->high_band--;
  status = read_tensors(detail, file, arena);
  if (status == TS_OK) status = rise_open(&detail->rise, view.rate, arena);
  if (status == TS_OK) *out = detail;
  return status;
}

size_t detail_row(const Detail *detail, int category) {
  return category >= 0 && (size_t)category < detail->categories ? (size_t)detail->row[category] : 0;
}

void detail_standard(const Detail *detail, const float *z, float *standard) {
  for (int i = 0; i < detail->dims; i++) {
    float value = (z[i] - detail->centre[i]) / detail->spread[i];
    standard[i] = value > -3.0f ? (value < 3.0f ? value : 3.0f) : -3.0f; /* of NaN: -3 */
  }
}

Status detail_sharpen(const Detail *detail, int category, float *audio, int channels, int64_t samples, Arena *work) {
  return rise_sharpen(detail->rise, detail->rises + detail_row(detail, category) * 2 * RISES, audio, channels, samples, work);
}
