"""pawl publish, versions and alias; delete of one version."""
import json

import case
from fake_daemon import Answer, error

F = "/2015-03-31/functions"
MISSING = error(404, "ResourceNotFoundException", "Cannot find alias arn: arn:f:live")


class Versions(case.Case):
    def sent(self, n):
        return json.loads(self.daemon.requests[n].body)

    # --- publish -----------------------------------------------------------------------

    def test_what_is_deployed_is_published(self):
        self.script(Answer(201, {"Version": "3", "CodeSha256": "c2hh"}),
                    Answer(201, {"Version": "4"}))
        result = self.pawl("publish", "orders")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "orders is version 3 (sha256 c2hh)\n")
        result = self.pawl("publish", "orders", "--description", "new prices", "--output", "json")
        self.assertEqual(result.json(), {"Version": "4"})
        self.assert_asked(f"POST {F}/orders/versions", f"POST {F}/orders/versions")
        self.assertEqual([self.sent(0), self.sent(1)], [{}, {"Description": "new prices"}])
        self.assertEqual(self.daemon.requests[0].headers["content-type"], "application/json")

    def test_a_publication_may_be_repeated(self):
        self.script(error(500, "ServiceException", "again"), Answer(201, {"Version": "3"}))
        self.assert_code(self.pawl("publish", "orders"), 0)
        self.assert_asked(f"POST {F}/orders/versions", f"POST {F}/orders/versions")

    def test_a_function_that_is_not_there_is_not_published(self):
        self.script(error(404, "ResourceNotFoundException", "Function not found: arn:orders"))
        result = self.pawl("publish", "orders")
        self.assert_code(result, 3)
        self.assertEqual(result.err, "pawl: cannot publish 'orders': Function not found: "
                                     "arn:orders (404, ResourceNotFoundException)\n")

    # --- versions ----------------------------------------------------------------------

    def test_versions_are_listed_with_their_aliases(self):
        aliases = [{"Name": "live", "FunctionVersion": "1", "RoutingConfig": {
                        "AdditionalVersionWeights": {"2": 0.1}}},
                   {"Name": "next", "FunctionVersion": "$LATEST"},
                   {"Name": "old", "FunctionVersion": "1"}]
        first = {"Version": "$LATEST", "CodeSize": 5, "CodeSha256": "aa", "LastModified": "now"}
        self.script(Answer(200, {"Aliases": aliases[:2], "NextMarker": "next"}),
                    Answer(200, {"Aliases": aliases[2:]}),
                    Answer(200, {"Versions": [first], "NextMarker": "$LATEST"}),
                    Answer(200, {"Versions": [{**first, "Version": "1", "Description": "d"},
                                              {**first, "Version": "2"}]}))
        result = self.pawl("versions", "orders")
        self.assert_code(result, 0)
        self.assertEqual(result.out.splitlines(), [
            "VERSION  ALIASES        BYTES  SHA256  MODIFIED  DESCRIPTION",
            "$LATEST  next               5  aa      now       -",
            "1        live 90%, old      5  aa      now       d",
            "2        live 10%           5  aa      now       -"])
        self.assert_asked(f"GET {F}/orders/aliases?MaxItems=50",
                          f"GET {F}/orders/aliases?MaxItems=50&Marker=next",
                          f"GET {F}/orders/versions?MaxItems=50",
                          f"GET {F}/orders/versions?MaxItems=50&Marker=%24LATEST")

    def test_versions_in_json_are_the_daemons(self):
        self.script(Answer(200, '{"Versions":[{"Version":"1"}]}'))
        result = self.pawl("versions", "orders", "--output", "json")
        self.assertEqual(result.json(), {"Versions": [{"Version": "1"}]})
        self.assert_asked(f"GET {F}/orders/versions?MaxItems=50")

    # --- alias -------------------------------------------------------------------------

    def test_an_alias_is_created(self):
        self.script(MISSING, Answer(201, {"Name": "live"}))
        result = self.pawl("alias", "orders", "live", "3", "--weight", "4=0.1")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "created orders:live: version 3, share 4=0.1\n")
        self.assert_asked(f"GET {F}/orders/aliases/live", f"POST {F}/orders/aliases")
        self.assertEqual(self.sent(1), {
            "Name": "live", "FunctionVersion": "3", "Description": "",
            "RoutingConfig": {"AdditionalVersionWeights": {"4": 0.1}}})

    def test_an_alias_is_moved_and_forgets_its_share(self):
        self.script(Answer(200, {"Name": "live"}), Answer(200, {"Name": "live"}))
        result = self.pawl("alias", "orders", "live", "$LATEST", "--description", "d")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "moved orders:live: version $LATEST\n")
        self.assert_asked(f"GET {F}/orders/aliases/live", f"PUT {F}/orders/aliases/live")
        self.assertEqual(self.sent(1), {
            "Name": "live", "FunctionVersion": "$LATEST", "Description": "d",
            "RoutingConfig": {"AdditionalVersionWeights": {}}})

    def test_an_alias_of_nothing_is_refused(self):
        self.script(MISSING, error(404, "ResourceNotFoundException", "Function not found: x"))
        result = self.pawl("alias", "orders", "live", "3")
        self.assert_code(result, 3)
        self.assertIn("cannot set alias 'live' of 'orders': Function not found: x", result.err)

    def test_an_alias_is_deleted(self):
        self.script(Answer(204), Answer(204))
        result = self.pawl("alias", "orders", "live", "--delete")
        self.assert_code(result, 0)
        self.assertEqual(result.out, "deleted orders:live\n")
        result = self.pawl("alias", "orders", "live", "--delete", "--output", "json")
        self.assertEqual(result.json(), {})
        self.assert_asked(f"DELETE {F}/orders/aliases/live", f"DELETE {F}/orders/aliases/live")

    def test_wrong_words_ask_nothing(self):
        self.script()
        for words, text in (
                (("orders", "live"), "give the VERSION that 'live' is to name, or --delete"),
                (("orders", "live", "3", "--delete"), "--delete takes no VERSION"),
                (("orders", "live", "3", "--weight", "4"), "give VERSION=SHARE"),
                (("orders", "live", "3", "--weight", "4=1.5"), "a share from 0 to 1"),
                (("orders", "live", "3", "--weight", "4=x"), "give VERSION=SHARE"),
                (("orders", "live", "3", "--weight", "=0.5"), "give VERSION=SHARE"),
                (("orders", "live", "3", "--weight", "4=nan"), "a share from 0 to 1"),
                (("orders",), "alias")):
            result = self.pawl("alias", *words)
            self.assert_code(result, 2)
            self.assertIn(text, result.err)
        self.assert_asked()

    # --- delete ------------------------------------------------------------------------

    def test_one_version_is_deleted(self):
        self.script(Answer(204), error(409, "ResourceConflictException",
                                       "the following aliases reference it: [live]"))
        result = self.pawl("delete", "orders:3")
        self.assertEqual(result.out, "deleted orders:3\n")
        result = self.pawl("delete", "orders:4")
        self.assert_code(result, 4)
        self.assertIn("[live]", result.err)
        self.assert_asked(f"DELETE {F}/orders%3A3", f"DELETE {F}/orders%3A4")


if __name__ == "__main__":
    case.main()
