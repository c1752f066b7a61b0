// Yamlreader reads a YAML map of texts from its input with go-yaml, in a version
// that Juju's agents use, and prints it as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	yamlv2 "gopkg.in/yaml.v2"
	yamlv3 "gopkg.in/yaml.v3"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "yamlreader:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: yamlreader v2|v3 <FILE.yaml")
	}
	unmarshal := map[string]func([]byte, any) error{
		"v2": func(in []byte, out any) error { return yamlv2.Unmarshal(in, out) },
		"v3": func(in []byte, out any) error { return yamlv3.Unmarshal(in, out) },
	}[args[0]]
	if unmarshal == nil {
		return fmt.Errorf("cannot use the version %q of go-yaml: it must be v2 or v3", args[0])
	}
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var read map[string]string
	if err := unmarshal(in, &read); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(read)
}
