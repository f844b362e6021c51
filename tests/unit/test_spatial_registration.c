/* Spatial Registration objects: both directions of a transform, and what is refused. */
#include "check.h"

#include "spatial_registration.h"
#include "tags.h"

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

/* 90 degrees about z, then a shift: x -> y. */
static const double turned[16] = {0, -1, 0, 10, 1, 0, 0, 20, 0, 0, 1, 30, 0, 0, 0, 1};
static const double identity[16] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};

static void put(struct dataset *ds, struct dataset_path path, const char *text)
{
	assert_ok(dataset_set_string(ds, path, text, &st), &st);
}

static void add_matrix(struct dataset *ds, unsigned item, unsigned index, const char *type,
		       const double matrix[16])
{
#define MATRIX(...)                                                                                \
	AT(TAG_RegistrationSequence, item, TAG_MatrixRegistrationSequence, 0, TAG_MatrixSequence,  \
	   index, __VA_ARGS__)
	put(ds, MATRIX(TAG_FrameOfReferenceTransformationMatrixType), type);
	assert_ok(dataset_set_doubles(ds, MATRIX(TAG_FrameOfReferenceTransformationMatrix), matrix,
				      16, &st),
		  &st);
}

static void add_item(struct dataset *ds, unsigned item, const char *frame, const char *image,
		     const char *type, const double matrix[16])
{
	if (frame)
		put(ds, AT(TAG_RegistrationSequence, item, TAG_FrameOfReferenceUID), frame);
	if (image) {
		put(ds,
		    AT(TAG_RegistrationSequence, item, TAG_ReferencedImageSequence, 0,
		       TAG_ReferencedSOPClassUID),
		    "1.2.840.10008.5.1.4.1.1.128");
		put(ds,
		    AT(TAG_RegistrationSequence, item, TAG_ReferencedImageSequence, 0,
		       TAG_ReferencedSOPInstanceUID),
		    image);
	}
	add_matrix(ds, item, 0, type, matrix);
}

/* Registered frame 1.9; its item 0 is the identity, as the object is usually written. */
static struct dataset *new_object(void)
{
	struct dataset *ds = NULL;
	assert_ok(dataset_new(&ds, &st), &st);
	put(ds, AT(TAG_SOPClassUID), SPATIAL_REGISTRATION_STORAGE);
	put(ds, AT(TAG_SOPInstanceUID), "1.5");
	put(ds, AT(TAG_PatientID), "P7");
	put(ds, AT(TAG_FrameOfReferenceUID), "1.9");
	put(ds, AT(TAG_ContentDate), "20260304");
	put(ds, AT(TAG_ContentTime), "101500");
	add_item(ds, 0, "1.9", NULL, "RIGID", identity);
	return ds;
}

static struct spatial_registration read_object(struct dataset *ds)
{
	struct spatial_registration registration;
	assert_ok(spatial_registration_read(&registration, ds, &st), &st);
	dataset_free(ds);
	return registration;
}

static void refused(struct dataset *ds, const char *words)
{
	struct spatial_registration registration;
	enum status_code code = spatial_registration_read(&registration, ds, &st);
	if (code != STATUS_REFUSE || !strstr(st.text, words))
		fail_msg("code %d: %s", (int)code, st.text);
	status_clear(&st);
	dataset_free(ds);
}

static void goes(const struct spatial_registration *registration, const char *from,
		 const char *from_series, const char *to, const char *to_series, double x, double y,
		 double z)
{
	bool found;
	double m[RIGID_SIZE], at[3];
	const double point[3] = {1, 2, 3};
	spatial_registration_find(&found, m, registration, from, from_series, to, to_series);
	assert_true(found);
	rigid_apply(at, m, point);
	assert_close(at[0], x, 1e-9, 0);
	assert_close(at[1], y, 1e-9, 0);
	assert_close(at[2], z, 1e-9, 0);
}

static void nowhere(const struct spatial_registration *registration, const char *from,
		    const char *from_series, const char *to, const char *to_series)
{
	bool found;
	double m[RIGID_SIZE];
	spatial_registration_find(&found, m, registration, from, from_series, to, to_series);
	assert_false(found);
}

static void takes_points_both_ways(void **state)
{
	(void)state;
	struct dataset *ds = new_object();
	add_item(ds, 1, "1.4", NULL, "RIGID", turned);
	struct spatial_registration registration = read_object(ds);
	assert_string_equal(registration.sop_instance_uid, "1.5");
	assert_string_equal(registration.patient_id, "P7");
	assert_string_equal(registration.content_datetime, "20260304101500");
	assert_int_equal(registration.n_items, 2);
	/* (1,2,3) -> (-2,1,3) + (10,20,30) */
	goes(&registration, "1.4", "", "1.9", "", 8, 21, 33);
	/* back: R' ((1,2,3) - (10,20,30)) = R' (-9,-18,-27) = (-18, 9, -27) */
	goes(&registration, "1.9", "", "1.4", "", -18, 9, -27);
	goes(&registration, "1.4", "", "1.4", "", 1, 2, 3);
	nowhere(&registration, "1.4", "", "1.3", "");
	nowhere(&registration, "1.3", "", "1.9", "");
	nowhere(&registration, "", "", "1.9", "");
}

/* Two sources that meet only in the registered frame; their transforms do not commute. */
static void joins_two_sources(void **state)
{
	(void)state;
	const double shifted[16] = {1, 0, 0, 5, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
	struct dataset *ds = new_object();
	add_item(ds, 1, "1.4", NULL, "RIGID", turned);
	add_item(ds, 2, "1.3", NULL, "RIGID", shifted);
	struct spatial_registration registration = read_object(ds);
	goes(&registration, "1.4", "", "1.3", "", 3, 21, 33);
	goes(&registration, "1.3", "", "1.4", "", -18, 4, -27);
}

/* Within one frame only the named images move; across frames they stand for their frame. */
static void images_are_found_by_their_series(void **state)
{
	(void)state;
	for (int other_study = 0; other_study < 2; other_study++) {
		struct dataset *ds = new_object();
		add_item(ds, 1, "1.9", "1.7.1", "RIGID", turned);
		if (other_study) {
#define OTHER TAG_StudiesContainingOtherReferencedInstancesSequence, 0, TAG_ReferencedSeriesSequence
			put(ds, AT(OTHER, 0, TAG_SeriesInstanceUID), "1.7");
			put(ds,
			    AT(OTHER, 0, TAG_ReferencedInstanceSequence, 0,
			       TAG_ReferencedSOPInstanceUID),
			    "1.7.1");
		} else {
			put(ds, AT(TAG_ReferencedSeriesSequence, 0, TAG_SeriesInstanceUID), "1.6");
			put(ds,
			    AT(TAG_ReferencedSeriesSequence, 0, TAG_ReferencedInstanceSequence, 0,
			       TAG_ReferencedSOPInstanceUID),
			    "1.6.1");
			put(ds, AT(TAG_ReferencedSeriesSequence, 1, TAG_SeriesInstanceUID), "1.7");
			put(ds,
			    AT(TAG_ReferencedSeriesSequence, 1, TAG_ReferencedInstanceSequence, 0,
			       TAG_ReferencedSOPInstanceUID),
			    "1.7.0");
			put(ds,
			    AT(TAG_ReferencedSeriesSequence, 1, TAG_ReferencedInstanceSequence, 1,
			       TAG_ReferencedSOPInstanceUID),
			    "1.7.1");
		}
		struct spatial_registration registration = read_object(ds);
		assert_string_equal(registration.items[1].series_uid, "1.7");
		goes(&registration, "1.9", "1.7", "1.9", "1.6", 8, 21, 33);
		goes(&registration, "1.9", "1.6", "1.9", "", 1, 2, 3);
	}
	struct dataset *ds = new_object();
	add_item(ds, 1, "1.4", "1.7.1", "RIGID", turned);
	struct spatial_registration registration = read_object(ds);
	goes(&registration, "1.4", "1.8", "1.9", "", 8, 21, 33);
}

static void two_answers_are_none(void **state)
{
	(void)state;
	struct dataset *ds = new_object();
	add_item(ds, 1, "1.4", NULL, "RIGID", turned);
	add_item(ds, 2, "1.4", NULL, "RIGID", identity);
	struct spatial_registration registration = read_object(ds);
	nowhere(&registration, "1.4", "", "1.9", "");
}

static void identities_beside_a_matrix_do_nothing(void **state)
{
	(void)state;
	struct dataset *ds = new_object();
	add_item(ds, 1, "1.4", NULL, "RIGID", identity);
	add_matrix(ds, 1, 1, "RIGID", turned);
	struct spatial_registration registration = read_object(ds);
	goes(&registration, "1.4", "", "1.9", "", 8, 21, 33);
	ds = new_object();
	add_item(ds, 1, "1.4", NULL, "RIGID", turned);
	add_matrix(ds, 1, 1, "RIGID", turned);
	refused(ds, "registration item 2: 2 matrices after each other");
}

static void what_would_change_volumes_is_refused(void **state)
{
	(void)state;
	const struct {
		const char *type;
		double matrix[16];
		const char *words;
	} rows[] = {
	    {"AFFINE", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, "matrix is AFFINE"},
	    {"RIGID_SCALE",
	     {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1},
	     "matrix is RIGID_SCALE"},
	    {"RIGID", {-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, "reflection"},
	    {"RIGID",
	     {1.001, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1},
	     "called rigid and is not"},
	    {"RIGID", {1, 0.01, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, "called rigid"},
	    {"RIGID", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0.1, 1}, "0 0 0 1 below"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct dataset *ds = new_object();
		add_item(ds, 1, "1.4", NULL, rows[i].type, rows[i].matrix);
		refused(ds, rows[i].words);
	}
}

static void what_joins_nothing_is_refused(void **state)
{
	(void)state;
	struct dataset *ds = new_object();
	put(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.66.3");
	refused(ds, "deformable registration");
	ds = new_object();
	put(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.4");
	refused(ds, "not a Spatial Registration");
	ds = new_object();
	put(ds, AT(TAG_FrameOfReferenceUID), "");
	refused(ds, "no frame of reference of its own");
	ds = new_object();
	add_item(ds, 1, NULL, NULL, "RIGID", turned);
	refused(ds, "item 2: neither a frame of reference nor images");
	ds = new_object();
	add_item(ds, 1, NULL, "1.7.1", "RIGID", turned);
	refused(ds, "item 2: the series of its images is not among the references");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(takes_points_both_ways, set_up),
	    cmocka_unit_test_setup(joins_two_sources, set_up),
	    cmocka_unit_test_setup(images_are_found_by_their_series, set_up),
	    cmocka_unit_test_setup(two_answers_are_none, set_up),
	    cmocka_unit_test_setup(identities_beside_a_matrix_do_nothing, set_up),
	    cmocka_unit_test_setup(what_would_change_volumes_is_refused, set_up),
	    cmocka_unit_test_setup(what_joins_nothing_is_refused, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
