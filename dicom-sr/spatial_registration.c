#include "spatial_registration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tags.h"

#define DEFORMABLE_REGISTRATION_STORAGE "1.2.840.10008.5.1.4.1.1.66.3"
#define RIGID_TOLERANCE			5e-4
#define SAME_TRANSFORM_MM		1e-3 /* anywhere within a metre of the origin */

#define MATRIX_ITEM(item, index, ...)                                                              \
	AT(TAG_RegistrationSequence, item, TAG_MatrixRegistrationSequence, 0, TAG_MatrixSequence,  \
	   index, __VA_ARGS__)

/* ---- one matrix ---- */

static double determinant(const double m[RIGID_SIZE])
{
	return m[0] * (m[5] * m[10] - m[6] * m[9]) - m[1] * (m[4] * m[10] - m[6] * m[8]) +
	       m[2] * (m[4] * m[9] - m[5] * m[8]);
}

static enum status_code read_matrix(double m[RIGID_SIZE], const struct dataset *ds, unsigned item,
				    unsigned index, struct status *st)
{
	char type[17];
	double *values = NULL;
	size_t count = 0;

	if (dataset_get_string(
		ds, MATRIX_ITEM(item, index, TAG_FrameOfReferenceTransformationMatrixType), type,
		sizeof type, st) != STATUS_OK ||
	    dataset_get_doubles(ds,
				MATRIX_ITEM(item, index, TAG_FrameOfReferenceTransformationMatrix),
				&values, &count, st) != STATUS_OK)
		goto out;
	if (strcmp(type, "RIGID") != 0) {
		(void)status_fail(
		    st, STATUS_REFUSE,
		    "its matrix is %s: only rigid ones are used, others change volumes",
		    type[0] ? type : "of no type");
		goto out;
	}
	if (count != 16 || values[12] != 0 || values[13] != 0 || values[14] != 0 ||
	    values[15] != 1) {
		(void)status_fail(st, STATUS_REFUSE, "its matrix is not 4 x 4 with 0 0 0 1 below");
		goto out;
	}
	memcpy(m, values, RIGID_SIZE * sizeof *m);
	if (determinant(m) < 0)
		(void)status_fail(st, STATUS_REFUSE,
				  "its matrix is a reflection: left and right would change sides");
	else if (!rigid_is_valid(m, RIGID_TOLERANCE))
		(void)status_fail(st, STATUS_REFUSE,
				  "its matrix is called rigid and is not (determinant %.6g)",
				  determinant(m));
out:
	free(values);
	return st->code;
}

static bool same_transform(const double a[RIGID_SIZE], const double b[RIGID_SIZE])
{
	bool same = true;

	for (int i = 0; i < RIGID_SIZE; i++)
		same = same && fabs(a[i] - b[i]) <=
				   (i % 4 == 3 ? SAME_TRANSFORM_MM : SAME_TRANSFORM_MM / 1000);
	return same;
}

/* Items of the matrix sequence multiply; in which order programs disagree, so at most one may do
 * anything. */
static enum status_code read_transform(double m[RIGID_SIZE], const struct dataset *ds,
				       unsigned item, struct status *st)
{
	unsigned matrices =
	    dataset_item_count(ds, AT(TAG_RegistrationSequence, item,
				      TAG_MatrixRegistrationSequence, 0, TAG_MatrixSequence));
	double identity[RIGID_SIZE], read[RIGID_SIZE];
	int moving = 0;

	if (dataset_item_count(
		ds, AT(TAG_RegistrationSequence, item, TAG_MatrixRegistrationSequence)) != 1 ||
	    matrices < 1)
		return status_fail(st, STATUS_REFUSE, "not one registration by matrices");
	rigid_identity(identity);
	rigid_identity(m);
	for (unsigned i = 0; i < matrices; i++) {
		if (read_matrix(read, ds, item, i, st) != STATUS_OK)
			return st->code;
		if (same_transform(read, identity))
			continue;
		memcpy(m, read, sizeof read);
		moving++;
	}
	if (moving > 1)
		return status_fail(st, STATUS_REFUSE,
				   "%d matrices after each other: give their product", moving);
	return STATUS_OK;
}

/* ---- what an item moves ---- */

/* The series that a list of series has an instance in. */
static enum status_code find_series(char series_uid[65], const struct dataset *ds,
				    struct dataset_path list, const char *instance_uid,
				    struct status *st)
{
	unsigned n_series = dataset_item_count(ds, list);
	struct dataset_path path = list;
	int end = list.count;

	for (unsigned s = 0; s < n_series && !series_uid[0]; s++) {
		path.step[end] = s;
		path.step[end + 1] = TAG_ReferencedInstanceSequence;
		path.count = end + 2;
		unsigned n_instances = dataset_item_count(ds, path);
		for (unsigned i = 0; i < n_instances && !series_uid[0]; i++) {
			char uid[65];
			path.step[end + 1] = TAG_ReferencedInstanceSequence;
			path.step[end + 2] = i;
			path.step[end + 3] = TAG_ReferencedSOPInstanceUID;
			path.count = end + 4;
			if (dataset_get_string(ds, path, uid, sizeof uid, st) != STATUS_OK)
				return st->code;
			path.step[end + 1] = TAG_SeriesInstanceUID;
			path.count = end + 2;
			if (strcmp(uid, instance_uid) == 0 &&
			    dataset_get_string(ds, path, series_uid, 65, st) != STATUS_OK)
				return st->code;
		}
	}
	return STATUS_OK;
}

/* The item names instances; their series stands in the references of the object. */
static enum status_code read_series(char series_uid[65], const struct dataset *ds, unsigned item,
				    struct status *st)
{
	char instance[65];
	struct dataset_path first = AT(TAG_RegistrationSequence, item, TAG_ReferencedImageSequence,
				       0, TAG_ReferencedSOPInstanceUID);
	unsigned studies =
	    dataset_item_count(ds, AT(TAG_StudiesContainingOtherReferencedInstancesSequence));

	series_uid[0] = '\0';
	if (dataset_get_string(ds, first, instance, sizeof instance, st) != STATUS_OK)
		return st->code;
	if (!instance[0])
		return STATUS_OK;
	if (find_series(series_uid, ds, AT(TAG_ReferencedSeriesSequence), instance, st) !=
	    STATUS_OK)
		return st->code;
	for (unsigned i = 0; i < studies && !series_uid[0]; i++)
		if (find_series(series_uid, ds,
				AT(TAG_StudiesContainingOtherReferencedInstancesSequence, i,
				   TAG_ReferencedSeriesSequence),
				instance, st) != STATUS_OK)
			return st->code;
	return STATUS_OK;
}

static enum status_code read_item(struct spatial_registration_item *item, const struct dataset *ds,
				  unsigned index, struct status *st)
{
	bool images = dataset_item_count(
			  ds, AT(TAG_RegistrationSequence, index, TAG_ReferencedImageSequence)) > 0;

	if (dataset_get_string(ds, AT(TAG_RegistrationSequence, index, TAG_FrameOfReferenceUID),
			       item->frame_of_reference_uid, 65, st) != STATUS_OK ||
	    read_series(item->series_uid, ds, index, st) != STATUS_OK)
		return st->code;
	if (!item->frame_of_reference_uid[0] && !item->series_uid[0])
		return status_fail(st, STATUS_REFUSE,
				   images ? "the series of its images is not among the references"
					  : "neither a frame of reference nor images");
	return read_transform(item->to_registered, ds, index, st);
}

static enum status_code read_content_time(char datetime[33], const struct dataset *ds,
					  struct status *st)
{
	char date[17], time[33];

	if (dataset_get_string(ds, AT(TAG_ContentDate), date, sizeof date, st) != STATUS_OK ||
	    dataset_get_string(ds, AT(TAG_ContentTime), time, sizeof time, st) != STATUS_OK)
		return st->code;
	datetime[0] = '\0';
	if (strlen(date) == 8)
		snprintf(datetime, 33, "%.8s%.20s", date, time);
	return STATUS_OK;
}

enum status_code spatial_registration_read(struct spatial_registration *registration,
					   struct dataset *ds, struct status *st)
{
	struct spatial_registration made = {.n_items = 0};
	unsigned items = dataset_item_count(ds, AT(TAG_RegistrationSequence));
	char class_uid[65];

	if (dataset_get_string(ds, AT(TAG_SOPClassUID), class_uid, sizeof class_uid, st) !=
	    STATUS_OK)
		return st->code;
	if (strcmp(class_uid, DEFORMABLE_REGISTRATION_STORAGE) == 0)
		return status_fail(st, STATUS_REFUSE,
				   "a deformable registration: only rigid ones are used");
	if (strcmp(class_uid, SPATIAL_REGISTRATION_STORAGE) != 0)
		return status_fail(st, STATUS_REFUSE, "not a Spatial Registration (%s)", class_uid);
	if (dataset_get_string(ds, AT(TAG_SOPInstanceUID), made.sop_instance_uid, 65, st) !=
		STATUS_OK ||
	    dataset_get_string(ds, AT(TAG_PatientID), made.patient_id, sizeof made.patient_id,
			       st) != STATUS_OK ||
	    dataset_get_string(ds, AT(TAG_FrameOfReferenceUID), made.registered_frame_uid, 65,
			       st) != STATUS_OK ||
	    read_content_time(made.content_datetime, ds, st) != STATUS_OK)
		return st->code;
	if (!made.registered_frame_uid[0])
		return status_fail(st, STATUS_REFUSE,
				   "the registration has no frame of reference of its own");
	if (items < 1 || items > SPATIAL_REGISTRATION_MAX_ITEMS)
		return status_fail(st, STATUS_REFUSE, "a registration of %u items", items);
	for (unsigned i = 0; i < items; i++)
		if (read_item(&made.items[i], ds, i, st) != STATUS_OK)
			return status_prefix(st, "registration item %u", i + 1);
	made.n_items = (int)items;
	*registration = made;
	return STATUS_OK;
}

/* ---- looking up ---- */

enum how { BY_SERIES, BY_FRAME, BY_IMAGES_OF_FRAME, HOW_COUNT };

static bool item_is(const struct spatial_registration_item *item, enum how how,
		    const char *registered_frame_uid, const char *frame_uid, const char *series_uid)
{
	bool frame = frame_uid[0] && strcmp(item->frame_of_reference_uid, frame_uid) == 0;

	if (how == BY_SERIES)
		return series_uid[0] && strcmp(item->series_uid, series_uid) == 0;
	if (how == BY_FRAME)
		return frame && !item->series_uid[0];
	/* Images of another frame stand for that frame; within one frame only they are moved. */
	return frame && strcmp(frame_uid, registered_frame_uid) != 0;
}

static bool to_registered(double transform[RIGID_SIZE],
			  const struct spatial_registration *registration, const char *frame_uid,
			  const char *series_uid)
{
	for (int how = 0; how < HOW_COUNT; how++) {
		const struct spatial_registration_item *found = NULL;
		for (int i = 0; i < registration->n_items; i++) {
			const struct spatial_registration_item *item = &registration->items[i];
			if (!item_is(item, (enum how)how, registration->registered_frame_uid,
				     frame_uid, series_uid))
				continue;
			if (found && !same_transform(found->to_registered, item->to_registered))
				return false;
			found = item;
		}
		if (!found)
			continue;
		memcpy(transform, found->to_registered, RIGID_SIZE * sizeof *transform);
		return true;
	}
	rigid_identity(transform);
	return frame_uid[0] && strcmp(frame_uid, registration->registered_frame_uid) == 0;
}

void spatial_registration_find(bool *found, double transform[RIGID_SIZE],
			       const struct spatial_registration *registration,
			       const char *from_frame_uid, const char *from_series_uid,
			       const char *to_frame_uid, const char *to_series_uid)
{
	double from[RIGID_SIZE], to[RIGID_SIZE];

	*found = to_registered(from, registration, from_frame_uid, from_series_uid) &&
		 to_registered(to, registration, to_frame_uid, to_series_uid);
	if (!*found)
		return;
	rigid_invert(to, to);
	rigid_compose(transform, to, from);
}
