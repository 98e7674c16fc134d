/* How far the sound of a latent is beyond what real sounds are (detail_model/traits.py, outliers.py). */
#include "detail.h"
#include "view.h"

static const float LINGER_DB[2] = {-72.0f, -40.0f}, PEAK_DB = -1.0f;
static const float UNITS[TRAITS] = {10.0f, 10.0f, 0.2f, 10.0f, 2.0f};
static const double LATE_SECONDS = 0.12;

static float decibels(double ratio) {
  if (!(ratio < 1e300)) return -90.0f;
  return 10.0f * ts_log10f((float)(ratio > 1e-9 ? ratio : 1e-9));
}

/* Hiss, tail, haze, highs and rise of levels in dB under the loudest cell. */
static Status traits_of(const Detail *detail, const Levels *levels, float *out, Arena *work) {
  const size_t n = (size_t)levels->bands, frames = (size_t)levels->frames;
  float *whole = TAKE(work, float, frames), *high = TAKE(work, float, frames), *course = TAKE(work, float, frames), *row = TAKE(work, float, n);
  if (whole == NULL || high == NULL || course == NULL || row == NULL) return TS_MEMORY;
  for (size_t i = 0; i < frames; i++) whole[i] = high[i] = 0.0f;
  const size_t first = (size_t)(detail->high_band < levels->bands ? detail->high_band : levels->bands);
  for (size_t i = 0; i < frames * (size_t)levels->parts; i++) {
    whole[i % frames] += detail_power(levels->db + i * n, levels->bands, detail->floor, row);
    high[i % frames] += row_sum(row + first, n - first);
  }
  const double wanted = round_half_even(LATE_SECONDS * detail->frames_per_second);
  const size_t late = wanted < (double)(frames - 1) ? (size_t)wanted : frames - 1, tail = frames / 10 > 1 ? frames / 10 : 1;
  double loudest = row_largest(whole, frames), total = 0.0, total_high = 0.0, hiss = 0.0, end = 0.0;
  loudest = loudest > 1e-12 ? loudest : 1e-12;
  for (size_t i = 0; i < frames; i++) {
    total += whole[i], total_high += high[i];
    if (i >= late) hiss += high[i];
    if (i >= frames - tail) end += whole[i];
  }
  detail_course(whole, course, levels->frames);
  size_t haze = 0, rise = frames;
  for (size_t i = 0; i < frames; i++) {
    haze += (course[i] > LINGER_DB[0]) & (course[i] < LINGER_DB[1]);
    if (rise == frames && course[i] > PEAK_DB) rise = i;
  }
  out[0] = decibels(hiss / (double)(frames - late) / loudest);
  out[1] = decibels(end / (double)tail / loudest);
  out[2] = (float)haze / (float)frames;
  out[3] = decibels(total_high / (total > 1e-12 ? total : 1e-12));
  out[4] = (float)ts_log2(1.0 + (double)(rise == frames ? 0 : rise));
  return TS_OK;
}

Status detail_excess(const Detail *detail, const float *z, int category, const Levels *levels, double *out, Arena *work) {
  const size_t used = work->used, count = (size_t)levels->parts * (size_t)levels->frames * (size_t)levels->bands;
  if (levels->bands < 1 || levels->frames < 1 || levels->parts < 1) return TS_ARGUMENT;
  float *standard = TAKE(work, float, detail->dims), found[TRAITS];
  Levels judged = *levels;
  judged.db = TAKE(work, float, count);
  if (standard == NULL || judged.db == NULL) return TS_MEMORY;
  __builtin_memcpy(judged.db, levels->db, count * sizeof *judged.db);
  detail_standard(detail, z, standard);
  Status status = detail_at_training_levels(detail, standard, &judged, work);
  for (size_t i = 0; i < count; i++) judged.db[i] = judged.db[i] > -detail->floor ? judged.db[i] : -detail->floor;
  const float most = row_largest(judged.db, count);
  for (size_t i = 0; i < count; i++) judged.db[i] -= most;
  if (status == TS_OK) status = traits_of(detail, &judged, found, work);
  const float *low = detail->limits + detail_row(detail, category) * 2 * TRAITS, *high = low + TRAITS;
  *out = 0.0;
  for (int i = 0; i < TRAITS && status == TS_OK; i++) {
    float beyond = (low[i] > found[i] ? low[i] - found[i] : 0.0f) + (found[i] > high[i] ? found[i] - high[i] : 0.0f);
    *out += (double)(beyond / UNITS[i]);
  }
  work->used = used;
  return status;
}
