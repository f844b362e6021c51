#include "config.h"

#include "check.h"

#include <stdlib.h>

#define EXAMPLE SOURCE_DIR "/config/holmia.example.xml"

/* ---- helpers: the example with one thing changed ---- */

static char *read_example(void)
{
	FILE *file = fopen(EXAMPLE, "rb");
	assert_non_null(file);
	char *text = calloc(1, 65536);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) > 1000);
	fclose(file);
	return text;
}

/* The example with the first `old` replaced, in a file of its own; returns the line of the change.
 */
static int write_variant(char path[64], const char *old, const char *new)
{
	char *text = read_example();
	const char *at = strstr(text, old);
	assert_non_null(at);
	int line = 1;
	for (const char *c = text; c < at; c++)
		line += *c == '\n';
	strcpy(path, "/tmp/holmia-test-config-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	FILE *file = fdopen(fd, "wb");
	assert_non_null(file);
	fprintf(file, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
	fclose(file);
	free(text);
	return line;
}

static const struct config_fault *find_fault(const struct config_faults *faults, const char *words)
{
	for (int i = 0; i < faults->count; i++) {
		if (strstr(faults->faults[i].text, words))
			return &faults->faults[i];
	}
	return NULL;
}

static void print_faults(const struct config_faults *faults)
{
	char line[512];
	for (int i = 0; i < faults->count; i++) {
		config_fault_format(line, sizeof line, "FILE", &faults->faults[i]);
		print_message("%s\n", line);
	}
}

/* Loads the variant and wants exactly one error with these words at the changed line. */
static void expect_error(const char *old, const char *new, const char *words)
{
	struct config *config = NULL;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	char path[64];
	int line = write_variant(path, old, new);
	assert_int_equal(config_load(&config, &faults, path, &st), STATUS_CONFIG);
	unlink(path);
	const struct config_fault *fault = find_fault(&faults, words);
	if (!fault || fault->line != line || fault->warning || faults.errors != 1) {
		print_message("expected \"%s\" at line %d\n", words, line);
		print_faults(&faults);
		fail();
	}
	assert_null(config);
	config_faults_free(&faults);
}

static struct config *load_variant(const char *old, const char *new, struct config_faults *faults)
{
	struct config *config = NULL;
	struct status st = STATUS_INIT;
	char path[64];
	write_variant(path, old, new);
	enum status_code code = config_load(&config, faults, path, &st);
	unlink(path);
	if (code != STATUS_OK)
		print_faults(faults);
	assert_ok(code, &st);
	return config;
}

static struct config *load_example(void)
{
	struct config *config = NULL;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	assert_ok(config_load(&config, &faults, EXAMPLE, &st), &st);
	config_faults_free(&faults);
	return config;
}

/* ---- the example ---- */

static void test_example_is_read_as_written(void **state)
{
	(void)state;
	struct config *config = load_example();
	assert_string_equal(config->ae_title, "HOLMIA");
	assert_string_equal(config->bind_address, "127.0.0.1");
	assert_int_equal(config->port, 11112);
	assert_string_equal(config->time_zone, "Europe/Amsterdam");
	assert_string_equal(config->intended_use, "For research; not a certified medical device");
	assert_true(config->accept_unknown_storage);
	assert_int_equal(config->n_destinations, 1);
	assert_string_equal(config->destinations[0].name, "pacs");
	assert_string_equal(config->destinations[0].ae_title, "TESTPACS");
	assert_int_equal(config->destinations[0].port, 4242);
	assert_true(config->destinations[0].results);
	assert_close(config->hours_before_first, 12, 0, 0);
	assert_close(config->hours_after_last, 6, 0, 0);
	assert_close(config->emission_days_after_last, 10, 0, 0);
	assert_close(config->clock_tolerance_s, 180, 0, 0);
	assert_close(config->dose_constant_mj_per_mbq, 15.87, 0, 0);
	assert_close(config->density_g_per_ml, 1.06, 0, 0);
	assert_true(config->baseline_voxelwise);
	assert_int_equal(config->dose_levels, 7);
	assert_close(config->dose_level_gy[1], 55, 0, 0);
	assert_int_equal(config->n_thresholds, 6);
	assert_close(config->limited_above_percent, 5, 0, 0);
	assert_close(config->not_measurable_above_percent, 50, 0, 0);
	assert_close(config->recovery_low_percent, 85, 0, 0);
	assert_close(config->recovery_high_percent, 115, 0, 0);
	assert_false(config->kernel);
	assert_true(config->register_rigid);
	assert_false(config->register_nonrigid);
	assert_close(config->registration_margin_mm, 15, 0, 0);
	assert_close(config->registration_limit_mm, 3, 0, 0);
	assert_close(config->planned_dose_gy, 60, 0, 0);
	assert_close(config->lung_mass_kg, 1, 0, 0);
	assert_int_equal(config->underdose_levels, 2);
	assert_close(config->underdosed_below_gy[0], 90, 0, 0);
	/* commented out in the example: nothing in their place */
	assert_int_equal(config->n_nm_calibrations, 0);
	assert_true(isnan(config->relaxivity_uncertainty_percent));
	assert_true(isnan(config->specific_activity_uncertainty_percent));
	assert_true(isnan(config->injected_activity_uncertainty_percent));
	assert_true(isnan(config->advice_limit_gy));
	assert_string_equal(config->thresholds[5].isotope, "Y-90");
	assert_int_equal(strlen(config->fingerprint), 64);
	config_free(config);
}

static void test_example_spool_is_beside_the_file(void **state)
{
	(void)state;
	struct config *config = load_example();
	const char *tail = "/config/spool";
	size_t length = strlen(config->spool);
	assert_true(config->spool[0] == '/' && length > strlen(tail));
	assert_string_equal(config->spool + length - strlen(tail), tail);
	config_free(config);
}

static void test_example_warns_of_what_is_not_calibrated(void **state)
{
	(void)state;
	struct config *config = NULL;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	assert_ok(config_load(&config, &faults, EXAMPLE, &st), &st);
	assert_int_equal(faults.errors, 0);
	assert_int_equal(faults.count, 4);
	assert_non_null(find_fault(&faults, "no <uncertainty>: the uncertainties in reports"));
	assert_non_null(
	    find_fault(&faults, "relaxivity at 3 T is not calibrated (theory, not calibrated)"));
	assert_non_null(find_fault(&faults, "relaxivity at 1.5 T is not calibrated"));
	assert_non_null(find_fault(&faults, "no caller configured"));
	for (int i = 0; i < faults.count; i++) {
		assert_true(faults.faults[i].warning && faults.faults[i].line > 0);
		assert_true(i == 0 || faults.faults[i].line >= faults.faults[i - 1].line);
	}
	char line[512];
	config_fault_format(line, sizeof line, "a.xml", find_fault(&faults, "no caller"));
	assert_non_null(strstr(line, ": warning: no caller"));
	assert_int_equal(strncmp(line, "a.xml:", 6), 0);
	config_faults_free(&faults);
	config_free(config);
}

/* ---- faults ---- */

static void test_faults_have_their_line(void **state)
{
	(void)state;
	expect_error("port=\"11112\"", "port=\"70000\"", "port \"70000\" must be 1 to 65535");
	expect_error("port=\"11112\"", "port=\"many\"", "port");
	expect_error("port=\"11112\"", "prot=\"11112\" port=\"11112\"", "attribute 'prot'");
	expect_error("ae-title=\"HOLMIA\"", "ae-title=\"A-TITLE-TOO-LONG-17\"",
		     "longer than 16 bytes");
	expect_error("ae-title=\"HOLMIA\"", "ae-title=\"HOL\\MIA\"", "without a backslash");
	expect_error("bind-address=\"127.0.0.1\"", "bind-address=\"localhost\"",
		     "not an IP address");
	expect_error("time-zone=\"Europe/Amsterdam\"", "time-zone=\"Europe/Atlantis\"", "zoneinfo");
	expect_error("time-zone=\"Europe/Amsterdam\"", "time-zone=\"../../etc/passwd\"",
		     "zoneinfo");
	expect_error("intended-use=\"For research; not a certified medical device\"",
		     "intended-use=\" \"", "intended-use");
	expect_error("max-instance-mb=\"512\"", "max-instance-mb=\"-1\"", "max-instance-mb");
	expect_error("calibrated=\"no\"", "calibrated=\"maybe\"", "calibrated");
	expect_error("field-t=\"1.5\"", "field-t=\"3.0\"",
		     "relaxivity at 3 T for any product is there twice");
	expect_error("saturated-sigma=\"2\"", "saturated-sigma=\"5\"",
		     "saturated-sigma must be below");
	expect_error("isotope=\"Y-90\"", "isotope=\"Yttrium\"",
		     "isotope \"Yttrium\" is not one of");
	expect_error("<dose-level gy=\"55\"/>", "<dose-level gy=\"40\"/>",
		     "dose level 40 Gy is there twice");
	expect_error("<dose-level gy=\"55\"/>", "<dose-level gy=\"NaN\"/>", "gy");
	expect_error("pattern=\"^(body|external|skin|couch)\"", "pattern=\"^(body\"",
		     "pattern \"^(body\"");
	expect_error("code=\"108369006\"", "code=\"10200004\"",
		     "code 10200004 of SCT is there twice");
	expect_error("limited-above-percent=\"5\"", "limited-above-percent=\"50\"",
		     "limited-above-percent must be below");
	expect_error("recovery-low-percent=\"85\"", "recovery-low-percent=\"101\"",
		     "recovery-low-percent \"101\" must be 1 to 100 %");
	expect_error("recovery-high-percent=\"115\"", "recovery-high-percent=\"99\"",
		     "recovery-high-percent \"99\" must be 100 to 1000 %");
	expect_error("kernel=\"no\"", "kernel=\"perhaps\"", "kernel");
	expect_error("residual-limit-mm=\"3\"", "residual-limit-mm=\"0\"", "residual-limit-mm");
	expect_error("liver-margin-mm=\"15\"", "liver-margin-mm=\"-1\"", "liver-margin-mm");
	expect_error("<underdose-level gy=\"60\"/>", "<underdose-level gy=\"90\"/>",
		     "under-dose levels must fall");
	expect_error("<underdose-level gy=\"60\"/>",
		     "<underdose-level gy=\"60\"/><underdose-level gy=\"50\"/>"
		     "<underdose-level gy=\"40\"/><underdose-level gy=\"30\"/>",
		     "at most 4 under-dose levels");
	expect_error("target-dose-gy=\"60\"", "target-dose-gy=\"0\"", "target-dose-gy");
	expect_error("lung-mass-kg=\"1.0\"", "lung-mass-kg=\"1000\"", "lung-mass-kg");
	expect_error("mbq=\"15.87\"", "mbq=\"NaN\"", "dose-constant-mj-per-mbq");
	expect_error("description=\"T1|VIBE|LAVA|THRIVE|e-?THRIVE|mDIXON\"", "",
		     "needs a pattern for description");
}

static void test_unknown_element_is_an_error(void **state)
{
	(void)state;
	expect_error("<dose-level gy=\"40\"/>", "<dose-rate gy=\"40\"/>", "Element 'dose-rate'");
	expect_error("  <!-- Where results go.", "  <destinatoin/><!--", "Element 'destinatoin'");
}

static void test_no_clinical_number_has_a_default(void **state)
{
	(void)state;
	static const char *const settings[] = {
	    "dose-constant-mj-per-mbq=\"15.87\"",
	    "density-g-per-ml=\"1.06\"",
	    "body-snr=\"10\"",
	    "artefact-r2star-per-s=\"150\"",
	    "usable-echo-sigma=\"4\"",
	    "saturated-sigma=\"2\"",
	    "trend-threshold-percent=\"10\"",
	    "per-s-per-mg-per-ml=\"217.8\"",
	    "holmium-percent=\"19.5\"",
	    "temperature-k=\"310\"",
	    "baseline=\"voxelwise\"",
	    "limited-above-percent=\"5\"",
	    "not-measurable-above-percent=\"50\"",
	    "recovery-low-percent=\"85\"",
	    "recovery-high-percent=\"115\"",
	    " rigid=\"yes\"",
	    "liver-margin-mm=\"15\"",
	    "residual-limit-mm=\"3\"",
	    "provenance=\"theory, not calibrated\"",
	};
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		struct config *config = NULL;
		struct config_faults faults;
		struct status st = STATUS_INIT;
		char path[64];
		write_variant(path, settings[i], "");
		assert_int_equal(config_load(&config, &faults, path, &st), STATUS_CONFIG);
		unlink(path);
		assert_non_null(find_fault(&faults, "is required but missing"));
		config_faults_free(&faults);
	}
}

static void test_all_faults_come_at_once_in_order(void **state)
{
	(void)state;
	struct config *config = NULL;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	char path[64], text[64];
	write_variant(path, "port=\"11112\"", "port=\"0\" colour=\"red\"");
	/* a second and a third one in the same file */
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	char *bytes = calloc(1, 65536);
	assert_true(fread(bytes, 1, 65535, file) > 0);
	memcpy(strstr(bytes, "Europe/Amsterdam"), "Europe/Amsterdaam", 16);
	memcpy(strstr(bytes, "density-g-per-ml=\"1.06\""), "density-g-per-ml=\"9.06\"", 23);
	rewind(file);
	fwrite(bytes, 1, strlen(bytes), file);
	fclose(file);
	free(bytes);
	assert_int_equal(config_load(&config, &faults, path, &st), STATUS_CONFIG);
	unlink(path);
	assert_int_equal(faults.errors, 4);
	assert_non_null(find_fault(&faults, "attribute 'colour'"));
	assert_non_null(find_fault(&faults, "port \"0\""));
	assert_non_null(find_fault(&faults, "Europe/Amsterdaa"));
	assert_non_null(find_fault(&faults, "density-g-per-ml \"9.06\" must be 0.9 to 1.2 g/mL"));
	for (int i = 1; i < faults.count; i++)
		assert_true(faults.faults[i].line >= faults.faults[i - 1].line);
	snprintf(text, sizeof text, "%d errors", faults.errors);
	assert_non_null(strstr(st.text, text));
	config_faults_free(&faults);
}

static void test_doctype_is_refused(void **state)
{
	(void)state;
	/* Nine levels of ten: 10^9 copies if it were expanded; and a file of this machine. */
	static const char bomb[] =
	    "?>\n<!DOCTYPE holmia [<!ENTITY a \"aaaaaaaaaa\">\n<!ENTITY b "
	    "\"&a;&a;&a;&a;&a;&a;&a;&a;\">\n"
	    "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n";
	struct config *config = NULL;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	char path[64];
	write_variant(path, "?>", bomb);
	assert_int_equal(config_load(&config, &faults, path, &st), STATUS_CONFIG);
	unlink(path);
	assert_non_null(find_fault(&faults, "a DOCTYPE is not allowed"));
	assert_int_equal(faults.faults[0].line, 2);
	assert_int_equal(faults.count, 1);
	config_faults_free(&faults);
}

static void test_broken_files(void **state)
{
	(void)state;
	struct config *config = NULL;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	char path[64];
	assert_int_equal(config_load(&config, &faults, "/nonexistent/holmia.xml", &st),
			 STATUS_CONFIG);
	assert_non_null(strstr(st.text, "/nonexistent/holmia.xml: No such file"));
	config_faults_free(&faults);
	status_clear(&st);
	assert_int_equal(config_load(&config, &faults, "/tmp", &st), STATUS_CONFIG);
	config_faults_free(&faults);
	status_clear(&st);
	int line = write_variant(path, "</holmia>", "</holmium>");
	assert_int_equal(config_load(&config, &faults, path, &st), STATUS_CONFIG);
	unlink(path);
	assert_true(faults.errors >= 1);
	assert_int_equal(faults.faults[0].line, line);
	config_faults_free(&faults);
}

/* Elements that are allowed and that nobody has in the example. */
static void test_optional_elements(void **state)
{
	(void)state;
	static const char at[] = "  <planning";
	static const char uncertainty[] =
	    "<uncertainty relaxivity-percent=\"5\" specific-activity-percent=\"3\" "
	    "injected-activity-percent=\"2.5\"/><advice healthy-liver-limit-gy=\"55\"/>"
	    "<planning";
	struct config_faults faults;
	struct config *config = load_variant(at, uncertainty, &faults);
	assert_close(config->relaxivity_uncertainty_percent, 5, 0, 0);
	assert_close(config->specific_activity_uncertainty_percent, 3, 0, 0);
	assert_close(config->injected_activity_uncertainty_percent, 2.5, 0, 0);
	assert_close(config->advice_limit_gy, 55, 0, 0);
	assert_null(find_fault(&faults, "<uncertainty>"));
	assert_non_null(find_fault(&faults, "reports advise an activity (up to 55 Gy"));
	config_faults_free(&faults);
	config_free(config);

	config = load_variant(at, "<uncertainty relaxivity-percent=\"0\"/><planning", &faults);
	assert_non_null(find_fault(&faults, "relaxivity-percent 0: the relaxivity is taken as"));
	assert_non_null(find_fault(&faults, "no specific-activity-percent"));
	assert_non_null(find_fault(&faults, "no injected-activity-percent"));
	assert_true(isnan(config->specific_activity_uncertainty_percent));
	config_faults_free(&faults);
	config_free(config);

	config = load_variant("target-dose-gy=\"60\"", "", &faults);
	assert_true(isnan(config->planned_dose_gy));
	config_faults_free(&faults);
	config_free(config);
}

static void test_emission_elements(void **state)
{
	(void)state;
	static const char at[] = "  <!-- Volume receiving";
	static const char two[] =
	    "<nm-calibration isotope=\"Ho-166\" station=\"S1\" cps-per-mbq=\"12.3\" "
	    "provenance=\"phantom\"/><nm-calibration isotope=\"166Ho\" cps-per-mbq=\"11\" "
	    "provenance=\"phantom\"/>  <!-- Volume receiving";
	struct config_faults faults;
	struct config *config = load_variant(at, two, &faults);
	assert_int_equal(config->n_nm_calibrations, 2);
	assert_string_equal(config->nm_calibrations[0].station, "S1");
	assert_close(config->nm_calibrations[0].cps_per_mbq, 12.3, 0, 0);
	assert_string_equal(config->nm_calibrations[1].station, "");
	config_faults_free(&faults);
	config_free(config);
	expect_error(at,
		     "<nm-calibration isotope=\"Ho-166\" cps-per-mbq=\"12\" "
		     "provenance=\"a\"/><nm-calibration isotope=\"166Ho\" cps-per-mbq=\"11\" "
		     "provenance=\"b\"/>  <!-- Volume receiving",
		     "calibration of Ho-166 for any station is there twice");
	expect_error(at,
		     "<nm-calibration isotope=\"Xx-1\" cps-per-mbq=\"12\" provenance=\"a\"/>  "
		     "<!-- Volume receiving",
		     "isotope \"Xx-1\" is not known");
	expect_error(at,
		     "<nm-calibration isotope=\"Ho-166\" cps-per-mbq=\"0\" provenance=\"a\"/>  "
		     "<!-- Volume receiving",
		     "cps-per-mbq");
	config = load_variant("<series role=\"emission\"",
			      "<series role=\"emission\" protocol=\"SPECT\"/>"
			      "<series role=\"emission\"",
			      &faults);
	assert_non_null(
	    config_find_series_rule(config, CONFIG_SERIES_EMISSION, "Ho-166 SPECT", "", "", 1));
	assert_null(
	    config_find_series_rule(config, CONFIG_SERIES_EMISSION, "T2* baseline", "", "", 16));
	config_faults_free(&faults);
	config_free(config);
}

static void test_alignment(void **state)
{
	(void)state;
	struct config_faults faults;
	struct config *config = load_variant("rigid=\"yes\"", "rigid=\"no\"", &faults);
	const struct config_fault *fault = find_fault(&faults, "scans are not aligned");
	assert_true(fault && fault->warning && fault->line > 0);
	assert_false(config->register_rigid);
	config_faults_free(&faults);
	config_free(config);
	/* both numbers are in the example, and not needed while it is off */
	config = load_variant("non-rigid=\"no\"", "non-rigid=\"yes\"", &faults);
	assert_true(config->register_nonrigid);
	assert_close(config->control_spacing_mm, 30, 0, 0);
	assert_close(config->bending_weight, 0.01, 0, 0);
	config_faults_free(&faults);
	config_free(config);
	config = load_variant("    bending-weight=\"0.01\"\n", "", &faults);
	assert_true(isnan(config->bending_weight));
	config_faults_free(&faults);
	config_free(config);
	expect_error("non-rigid=\"no\"\n    control-spacing-mm=\"30\"", "non-rigid=\"yes\"",
		     "needs control-spacing-mm and bending-weight");
	expect_error("rigid=\"yes\"\n    non-rigid=\"no\"", "rigid=\"no\"\n    non-rigid=\"yes\"",
		     "stands on a rigid alignment");
	expect_error("control-spacing-mm=\"30\"", "control-spacing-mm=\"5\"", "control-spacing-mm");
	expect_error("bending-weight=\"0.01\"", "bending-weight=\"0\"", "bending-weight");
}

/* ---- rules ---- */

static void test_relaxivity_is_matched_never_scaled(void **state)
{
	(void)state;
	struct config *config = load_example();
	const struct config_relaxivity *entry =
	    config_find_relaxivity(config, 2.89, "QuiremSpheres");
	assert_non_null(entry);
	assert_close(entry->per_s_per_mg_per_ml, 217.8, 0, 0);
	assert_false(entry->calibrated);
	entry = config_find_relaxivity(config, 1.494, "");
	assert_non_null(entry);
	assert_close(entry->per_s_per_mg_per_ml, 108.9, 0, 0);
	assert_null(config_find_relaxivity(config, 7, "QuiremSpheres"));
	assert_null(config_find_relaxivity(config, 2.84, "QuiremSpheres"));
	assert_null(config_find_relaxivity(config, (double)NAN, "QuiremSpheres"));
	config_free(config);
}

static void test_relaxivity_of_the_product_comes_first(void **state)
{
	(void)state;
	struct config_faults faults;
	struct config *config =
	    load_variant("field-t=\"1.5\"", "field-t=\"3.05\" product=\"Other spheres\"", &faults);
	assert_close(config_find_relaxivity(config, 3, "Other spheres")->per_s_per_mg_per_ml, 108.9,
		     0, 0);
	assert_close(config_find_relaxivity(config, 3, "QuiremSpheres")->per_s_per_mg_per_ml, 217.8,
		     0, 0);
	config_faults_free(&faults);
	config_free(config);
}

static void test_series_rules(void **state)
{
	(void)state;
	struct config *config = load_example();
	const enum config_series_role holmium = CONFIG_SERIES_HOLMIUM,
				      anatomy = CONFIG_SERIES_ANATOMY;
	assert_non_null(
	    config_find_series_rule(config, holmium, "T2* multi-echo baseline", "", "", 16));
	assert_non_null(config_find_series_rule(config, holmium,
						"InPhase Cor R2* Mapping BH + phase", "", "", 12));
	assert_non_null(config_find_series_rule(config, holmium, "", "abd_t2star_tra", "", 6));
	assert_null(config_find_series_rule(config, holmium, "T2* multi-echo baseline", "", "", 2));
	assert_null(config_find_series_rule(config, holmium, "t2_haste", "t2_haste_cor", "", 16));
	assert_null(config_find_series_rule(config, holmium, "", "", "", 16));
	assert_non_null(config_find_series_rule(config, anatomy, "T1w anatomy", "", "", 1));
	assert_non_null(config_find_series_rule(config, anatomy, "t1_vibe_tra", "", "", 1));
	assert_null(config_find_series_rule(config, anatomy, "DWI b800", "", "", 1));
	config_free(config);
}

static void test_voi_roles(void **state)
{
	(void)state;
	static const struct {
		const char *name, *code;
		int role; /* -1 none, -2 refused */
	} rows[] = {
	    {"Liver", "", CONFIG_VOI_LIVER},
	    {"whole liver", "", CONFIG_VOI_LIVER},
	    {"Right hemiliver", "", CONFIG_VOI_PART},
	    {"Left lobe of the liver", "", CONFIG_VOI_PART},
	    {"Tumour 1", "", CONFIG_VOI_TUMOUR},
	    {"tumor right lobe", "", CONFIG_VOI_TUMOUR},
	    {"GTV_Mass_MR_T1", "", CONFIG_VOI_TUMOUR},
	    {"BODY", "", CONFIG_VOI_IGNORE},
	    {"healthy liver", "", CONFIG_VOI_IGNORE},
	    {"Necrotic tumour 1", "", CONFIG_VOI_NECROSIS}, /* necrosis before tumour */
	    {"necrosis", "", CONFIG_VOI_NECROSIS},
	    {"Liver minus GTV", "", -2},
	    {"non-tumour liver", "", -2},
	    {"ROI 17", "", -1},
	    {"", "", -1},
	    {"anything", "10200004", CONFIG_VOI_LIVER},
	    {"Liver", "108369006", CONFIG_VOI_TUMOUR}, /* the code comes before the name */
	};
	struct config *config = load_example();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct status st = STATUS_INIT;
		bool matched = false;
		enum config_voi_role role = CONFIG_VOI_IGNORE;
		enum status_code code =
		    config_voi_role_of(&matched, &role, config, rows[i].name, rows[i].code,
				       rows[i].code[0] ? "SCT" : "", &st);
		int found = code == STATUS_REFUSE ? -2 : matched ? (int)role : -1;
		if (found != rows[i].role)
			print_message("%s: %d, expected %d\n", rows[i].name, found, rows[i].role);
		assert_int_equal(found, rows[i].role);
		if (code == STATUS_REFUSE)
			assert_non_null(strstr(st.text, rows[i].name));
	}
	config_free(config);
}

static void test_fingerprint_follows_the_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *old, *new;
		bool map, report; /* changes */
	} rows[] = {
	    {"port=\"11112\"", "port=\"11113\"", false, false},
	    {"workers=\"2\"", "workers=\"3\"", false, false},
	    {"217.8", "217.9", true, true},
	    {"calibrated=\"no\"", "calibrated=\"yes\"", true, true},
	    {"mbq=\"15.87\"", "mbq=\"15.88\"", true, true},
	    {"<dose-level gy=\"55\"/>", "<dose-level gy=\"50\"/>", false, true},
	    {"tumou?r|lesion|GTV", "tumou?r|GTV", false, true},
	    {"kernel=\"no\"", "kernel=\"yes\"", true, true},
	    {"rigid=\"yes\"", "rigid=\"no\"", true, true},
	    {"liver-margin-mm=\"15\"", "liver-margin-mm=\"20\"", true, true},
	    {"artefact-r2star-per-s=\"150\"", "artefact-r2star-per-s=\"160\"", true, true},
	    {"limited-above-percent=\"5\"", "limited-above-percent=\"6\"", false, true},
	    {"not-measurable-above-percent=\"50\"", "not-measurable-above-percent=\"40\"", true,
	     true},
	    {"recovery-low-percent=\"85\"", "recovery-low-percent=\"80\"", false, true},
	    {"recovery-high-percent=\"115\"", "recovery-high-percent=\"120\"", false, true},
	    {"<underdose-level gy=\"60\"/>", "<underdose-level gy=\"50\"/>", false, true},
	    {"  <planning", "<uncertainty relaxivity-percent=\"5\"/><planning", false, true},
	    {"  <planning", "<uncertainty specific-activity-percent=\"5\"/><planning", false, true},
	    {"  <planning", "<uncertainty injected-activity-percent=\"5\"/><planning", false, true},
	    {"  <planning", "<advice healthy-liver-limit-gy=\"55\"/><planning", false, true},
	    {"  <!-- Volume receiving",
	     "<nm-calibration isotope=\"Ho-166\" cps-per-mbq=\"12\" provenance=\"a\"/>  <!-- "
	     "Volume receiving",
	     false, true},
	    /* for `holmia prescribe` alone: no result of the node depends on it */
	    {"target-dose-gy=\"60\"", "target-dose-gy=\"50\"", false, false},
	    {"lung-mass-kg=\"1.0\"", "lung-mass-kg=\"0.8\"", false, false},
	};
	struct config *reference = load_example();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config_faults faults;
		struct config *other = load_variant(rows[i].old, rows[i].new, &faults);
		assert_int_equal(strcmp(other->fingerprint, reference->fingerprint) != 0,
				 rows[i].report);
		assert_int_equal(strcmp(other->dose_fingerprint, reference->dose_fingerprint) != 0,
				 rows[i].map);
		config_faults_free(&faults);
		config_free(other);
	}
	config_free(reference);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_example_is_read_as_written),
	    cmocka_unit_test(test_example_spool_is_beside_the_file),
	    cmocka_unit_test(test_example_warns_of_what_is_not_calibrated),
	    cmocka_unit_test(test_faults_have_their_line),
	    cmocka_unit_test(test_unknown_element_is_an_error),
	    cmocka_unit_test(test_no_clinical_number_has_a_default),
	    cmocka_unit_test(test_all_faults_come_at_once_in_order),
	    cmocka_unit_test(test_doctype_is_refused),
	    cmocka_unit_test(test_broken_files),
	    cmocka_unit_test(test_optional_elements),
	    cmocka_unit_test(test_emission_elements),
	    cmocka_unit_test(test_alignment),
	    cmocka_unit_test(test_relaxivity_is_matched_never_scaled),
	    cmocka_unit_test(test_relaxivity_of_the_product_comes_first),
	    cmocka_unit_test(test_series_rules),
	    cmocka_unit_test(test_voi_roles),
	    cmocka_unit_test(test_fingerprint_follows_the_numbers),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
