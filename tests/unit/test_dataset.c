/* The wall to dcmdata: what goes in comes out, text is UTF-8, pixels are the stored values in every
 * syntax. */
#include "check.h"

#include <stdlib.h>

#include "dataset.h"
#include "tags.h"

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

static struct dataset *new_dataset(void)
{
	struct dataset *ds = NULL;
	assert_ok(dataset_new(&ds, &st), &st);
	return ds;
}

static struct dataset *read_file(const char *path)
{
	struct dataset *ds = NULL;
	status_clear(&st);
	assert_ok(dataset_read_file(&ds, path, &st), &st);
	return ds;
}

static const char *text_at(const struct dataset *ds, struct dataset_path path)
{
	static char text[1000];
	assert_ok(dataset_get_string(ds, path, text, sizeof(text), &st), &st);
	return text;
}

static void values_come_back(void **state)
{
	struct dataset *ds = new_dataset();
	const double orientation[6] = {1, 0, 0, 0, 0.5, -0.25};
	double *back = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(dataset_presence(ds, AT(TAG_PatientID)), DATASET_ABSENT);
	assert_ok(dataset_set_empty(ds, AT(TAG_PatientID), &st), &st);
	assert_int_equal(dataset_presence(ds, AT(TAG_PatientID)), DATASET_EMPTY);
	assert_ok(dataset_set_string(ds, AT(TAG_PatientID), "HO-1", &st), &st);
	assert_int_equal(dataset_presence(ds, AT(TAG_PatientID)), DATASET_HAS_VALUE);
	assert_string_equal(text_at(ds, AT(TAG_PatientID)), "HO-1");
	assert_ok(dataset_set_int(ds, AT(TAG_Rows), 256, &st), &st);
	assert_int_equal(dataset_get_int(ds, AT(TAG_Rows), -1), 256);
	assert_int_equal(dataset_get_int(ds, AT(TAG_Columns), -1), -1);
	assert_ok(dataset_set_doubles(ds, AT(TAG_ImageOrientationPatient), orientation, 6, &st),
		  &st);
	assert_ok(dataset_get_doubles(ds, AT(TAG_ImageOrientationPatient), &back, &count, &st),
		  &st);
	assert_int_equal(count, 6);
	assert_memory_equal(back, orientation, sizeof(orientation));
	assert_close(dataset_get_double(ds, AT(TAG_ImageOrientationPatient), 5), -0.25, 0, 0);
	assert_true(isnan(dataset_get_double(ds, AT(TAG_ImageOrientationPatient), 6)));
	assert_ok(
	    dataset_set_tag(ds, AT(TAG_FrameIncrementPointer), TAG_GridFrameOffsetVector, &st),
	    &st);
	free(back);
	dataset_free(ds);
}

static void sequences_are_made_on_the_way(void **state)
{
	struct dataset *ds = new_dataset();
	unsigned item = 1;

	(void)state;
	assert_ok(dataset_set_int(ds,
				  AT(TAG_DVHSequence, item, TAG_DVHReferencedROISequence, 0,
				     TAG_ReferencedROINumber),
				  7, &st),
		  &st);
	assert_int_equal(dataset_item_count(ds, AT(TAG_DVHSequence)), 2);
	assert_int_equal(dataset_get_int(ds,
					 AT(TAG_DVHSequence, 1, TAG_DVHReferencedROISequence, 0,
					    TAG_ReferencedROINumber),
					 -1),
			 7);
	assert_int_equal(
	    dataset_item_count(ds, AT(TAG_DVHSequence, 0, TAG_DVHReferencedROISequence)), 0);
	assert_int_equal(dataset_item_count(ds, AT(TAG_ROIContourSequence)), 0);
	dataset_free(ds);
}

/* PS3.5 6.2: at most 16 characters; the value must be the closest that fits. */
static void decimal_strings_fit(void **state)
{
	static const double values[] = {
	    1.0 / 3, -1.0 / 3,	  0.00305180437933928,	 1e-20, -123456789.123456789, 45.5, 0,
	    1e300,   5.0 / 65535, -0.0009999999999999999};
	struct dataset *ds = new_dataset();

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		assert_ok(dataset_set_double(ds, AT(TAG_DoseGridScaling), values[i], &st), &st);
		assert_true(strlen(text_at(ds, AT(TAG_DoseGridScaling))) <= 16);
		assert_close(dataset_get_double(ds, AT(TAG_DoseGridScaling), 0), values[i], 0,
			     2e-9);
	}
	assert_ok(dataset_set_double(ds, AT(TAG_DoseGridScaling), 1.0 / 3, &st), &st);
	assert_string_equal(text_at(ds, AT(TAG_DoseGridScaling)), "0.33333333333333");
	assert_ok(dataset_set_double(ds, AT(TAG_DoseGridScaling), 5, &st), &st);
	assert_string_equal(text_at(ds, AT(TAG_DoseGridScaling)), "5");
	assert_int_equal(dataset_set_double(ds, AT(TAG_DoseGridScaling), (double)NAN, &st),
			 STATUS_BUG);
	dataset_free(ds);
}

/* What arithmetic on positions and cosines leaves behind is not written; what is no rounding is. */
static void decimal_strings_have_no_noise(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {{109.832377000001, "109.832377"},	   {3.75000000000082, "3.75"},
		    {164.499999999937, "164.5"},	   {-0.99999999999999, "-1"},
		    {2.00000000025, "2.00000000025"},	   {-145.30001, "-145.30001"},
		    {0.96592582628907, "0.96592582628907"}};
	struct dataset *ds = new_dataset();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_ok(dataset_set_double(ds, AT(TAG_DoseGridScaling), rows[i].value, &st), &st);
		assert_string_equal(text_at(ds, AT(TAG_DoseGridScaling)), rows[i].text);
	}
	dataset_free(ds);
}

static void text_is_utf8(void **state)
{
	static const struct {
		const char *set, *raw, *utf8, *cut;
	} rows[] = {
	    {"ISO_IR 100", "M\xFCller^J\xF6rg", "Müller^Jörg", "M"},
	    {"ISO_IR 192", "Müller^Jörg", "Müller^Jörg", "M"},
	    {"ISO_IR 144", "\xBB\xD0", "Ла", "Л"},
	    {"GB18030", "\xCD\xF5^\xD0\xA1", "王^小", ""},
	    {"\\ISO 2022 IR 87", "Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B",
	     "Yamada^Tarou=山田^太郎", "Ya"},
	    {"", "M\xFCller", "M\xEF\xBF\xBDller", "M"},
	    {"ISO_IR 999", "M\xFCller", "M\xEF\xBF\xBDller", "M"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		/* (0008,0005) CS and (0010,0010) PN in Implicit VR Little Endian */
		uint8_t bytes[400] = {8, 0, 5, 0};
		size_t set = strlen(rows[i].set), name = strlen(rows[i].raw), size;
		memcpy(bytes + 8, rows[i].set, set);
		if (set % 2)
			bytes[8 + set++] = ' ';
		bytes[4] = (uint8_t)set;
		size = 8 + set;
		memcpy(bytes + size, (uint8_t[]){0x10, 0, 0x10, 0}, 4);
		memcpy(bytes + size + 8, rows[i].raw, name);
		if (name % 2)
			bytes[size + 8 + name++] = ' ';
		bytes[size + 4] = (uint8_t)name;
		size += 8 + name;

		struct dataset *ds = NULL, *copy = new_dataset();
		char cut[3];
		assert_ok(dataset_read_memory(&ds, bytes, size, "1.2.840.10008.1.2", &st), &st);
		assert_string_equal(text_at(ds, AT(TAG_PatientName)), rows[i].utf8);
		assert_ok(dataset_copy(copy, ds, TAG_PatientName, &st), &st);
		assert_string_equal(text_at(copy, AT(TAG_PatientName)), rows[i].utf8);
		assert_ok(dataset_get_string(ds, AT(TAG_PatientName), cut, sizeof(cut), &st), &st);
		/* two bytes: half a character is left out */
		assert_string_equal(cut, rows[i].cut);
		dataset_free(ds);
		dataset_free(copy);
	}
}

static void private_elements_follow_their_creator(void **state)
{
	struct dataset *ds = new_dataset();

	(void)state;
	assert_ok(dataset_set_private(ds, 0x2005, "SOMEBODY ELSE", 0x0E, "FL", 9, &st), &st);
	assert_ok(
	    dataset_set_private(ds, 0x2005, "Philips MR Imaging DD 001", 0x0E, "FL", 0.25, &st),
	    &st);
	assert_ok(dataset_set_private(ds, 0x0043, "GEMS_PARM_01", 0x2F, "SS", 3, &st), &st);
	assert_close(dataset_get_private_double(ds, 0x2005, "Philips MR Imaging DD 001", 0x0E),
		     0.25, 0, 0);
	assert_close(dataset_get_private_double(ds, 0x2005, "SOMEBODY ELSE", 0x0E), 9, 0, 0);
	assert_close(dataset_get_private_double(ds, 0x0043, "GEMS_PARM_01", 0x2F), 3, 0, 0);
	assert_true(isnan(dataset_get_private_double(ds, 0x0043, "GEMS_PARM_01", 0x30)));
	assert_true(isnan(dataset_get_private_double(ds, 0x2005, "NOBODY", 0x0E)));
	dataset_free(ds);
}

static struct dataset *small_image(void)
{
	struct dataset *ds = new_dataset();
	uint16_t pixels[6] = {0, 1, 2047, 2048, 4095, 0xF801};

	assert_ok(dataset_set_string(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.4", &st),
		  &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPInstanceUID), "1.2.3", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_PatientName), "Müller", &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Rows), 2, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Columns), 3, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_SamplesPerPixel), 1, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsAllocated), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsStored), 12, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_HighBit), 11, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_PixelRepresentation), 0, &st), &st);
	assert_ok(dataset_set_pixels_u16(ds, pixels, 6, &st), &st);
	return ds;
}

static void stored_bits_and_sign(void **state)
{
	static const float unsigned_values[6] = {0, 1, 2047, 2048, 4095, 2049};
	static const float signed_values[6] = {0, 1, 2047, -2048, -1, -2047};
	struct dataset *ds = small_image();
	float values[6];

	(void)state;
	assert_ok(dataset_get_frame(ds, 0, values, 6, &st), &st);
	assert_memory_equal(values, unsigned_values, sizeof(values));
	assert_ok(dataset_set_int(ds, AT(TAG_PixelRepresentation), 1, &st), &st);
	assert_ok(dataset_get_frame(ds, 0, values, 6, &st), &st);
	assert_memory_equal(values, signed_values, sizeof(values));
	dataset_free(ds);
}

static void impossible_pixels_are_refused(void **state)
{
	static const struct {
		uint32_t tag;
		int value;
	} rows[] = {{TAG_BitsStored, 17},
		    {TAG_BitsStored, 0},
		    {TAG_BitsAllocated, 1},
		    {TAG_HighBit, 16},
		    {TAG_HighBit, 3},
		    {TAG_Rows, 3},
		    {TAG_Columns, 2},
		    {TAG_NumberOfFrames, 2},
		    {TAG_SamplesPerPixel, 3},
		    {TAG_PixelRepresentation, 2},
		    {TAG_Rows, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dataset *ds = small_image();
		float values[6];
		assert_ok(dataset_set_int(ds, AT(rows[i].tag), rows[i].value, &st), &st);
		assert_int_equal(dataset_get_frame(ds, 0, values, 6, &st), STATUS_REFUSE);
		assert_true(strlen(st.text) > 10);
		status_clear(&st);
		dataset_free(ds);
	}
}

static void files_are_deterministic(void **state)
{
	struct dataset *ds = small_image(), *back = NULL;
	uint8_t *one = NULL, *two = NULL;
	size_t size_one, size_two;
	char path[] = "/tmp/holmia-dataset-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_ok(dataset_write_file_memory(ds, &one, &size_one, &st), &st);
	assert_ok(dataset_write_file_memory(ds, &two, &size_two, &st), &st);
	assert_int_equal(size_one, size_two);
	assert_memory_equal(one, two, size_one);
	for (int i = 0; i < 128; i++)
		assert_int_equal(one[i], 0);
	assert_memory_equal(one + 128, "DICM", 4);
	assert_ok(dataset_write_file(ds, path, &st), &st);
	back = read_file(path);
	free(two);
	two = NULL;
	assert_ok(dataset_write_file_memory(back, &two, &size_two, &st), &st);
	assert_int_equal(size_one, size_two);
	assert_memory_equal(one, two, size_one);
	assert_string_equal(text_at(back, AT(TAG_PatientName)), "Müller");
	unlink(path);
	free(one);
	free(two);
	dataset_free(ds);
	dataset_free(back);
}

static void bad_bytes_are_refused(void **state)
{
	static const uint8_t truncated[] = {0x10, 0, 0x20, 0, 8, 0, 0, 0, 'A', 'B'};
	struct dataset *ds = NULL;

	(void)state;
	assert_int_equal(
	    dataset_read_memory(&ds, truncated, sizeof(truncated), "1.2.840.10008.1.2", &st),
	    STATUS_REFUSE);
	status_clear(&st);
	assert_int_equal(dataset_read_memory(&ds, truncated, sizeof(truncated), "1.2.3.4", &st),
			 STATUS_REFUSE);
	status_clear(&st);
	assert_int_equal(
	    dataset_read_memory(&ds, truncated, sizeof(truncated), "1.2.840.10008.1.2.1.99", &st),
	    STATUS_REFUSE);
	status_clear(&st);
	assert_int_equal(dataset_read_file(&ds, "/nonexistent", &st), STATUS_REFUSE);
	status_clear(&st);
	assert_int_equal(dataset_read_file(&ds, SOURCE_DIR "/CMakeLists.txt", &st), STATUS_REFUSE);
	status_clear(&st);
	assert_null(ds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(values_come_back, set_up),
	    cmocka_unit_test_setup(sequences_are_made_on_the_way, set_up),
	    cmocka_unit_test_setup(decimal_strings_fit, set_up),
	    cmocka_unit_test_setup(decimal_strings_have_no_noise, set_up),
	    cmocka_unit_test_setup(text_is_utf8, set_up),
	    cmocka_unit_test_setup(private_elements_follow_their_creator, set_up),
	    cmocka_unit_test_setup(stored_bits_and_sign, set_up),
	    cmocka_unit_test_setup(impossible_pixels_are_refused, set_up),
	    cmocka_unit_test_setup(files_are_deterministic, set_up),
	    cmocka_unit_test_setup(bad_bytes_are_refused, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
