// Charmreader takes a .charm archive through everything Juju does with one
// between `juju deploy` and the first hook, and prints what it read.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/juju/charm/v12"
)

// report is the line on standard output.
type report struct {
	Name     string            `json:"name"`
	Summary  string            `json:"summary"`
	Format   int               `json:"format"`
	Bases    []string          `json:"bases"`
	Members  []string          `json:"members"`
	Modes    map[string]string `json:"modes"`
	Repacked map[string]string `json:"repacked-modes"`
	Config   map[string]option `json:"config"`
	Actions  map[string]any    `json:"actions"`
}

type option struct {
	Type    string `json:"type"`
	Default any    `json:"default"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: charmreader FILE.charm SCRATCH-DIRECTORY")
		os.Exit(2)
	}
	seen, err := read(os.Args[1], os.Args[2])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(seen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "charmreader:", err)
		os.Exit(1)
	}
}

// read does what the client, the controller and the unit do in turn.
func read(path, scratch string) (*report, error) {
	seen, err := describe(path)
	if err != nil {
		return nil, err
	}
	archive, err := charm.ReadCharmArchive(path)
	if err != nil {
		return nil, err
	}
	unpacked := filepath.Join(scratch, "unpacked")
	// An upgrade unpacks over what is there.
	for round := 1; round <= 2; round++ {
		if err := archive.ExpandTo(unpacked); err != nil {
			return nil, fmt.Errorf("unpacking, round %d: %w", round, err)
		}
	}
	if seen.Modes, err = modes(unpacked); err != nil {
		return nil, err
	}
	repacked := filepath.Join(scratch, "repacked.charm")
	if err := repack(unpacked, repacked); err != nil {
		return nil, fmt.Errorf("repacking: %w", err)
	}
	if _, err := describe(repacked); err != nil {
		return nil, fmt.Errorf("reading the repacked archive: %w", err)
	}
	again, err := charm.ReadCharmArchive(repacked)
	if err != nil {
		return nil, err
	}
	expanded := filepath.Join(scratch, "again")
	if err := again.ExpandTo(expanded); err != nil {
		return nil, fmt.Errorf("unpacking the repacked archive: %w", err)
	}
	seen.Repacked, err = modes(expanded)
	return seen, err
}

// describe reads an archive and makes the checks of `juju deploy`.
func describe(path string) (*report, error) {
	read, err := charm.ReadCharm(path)
	if err != nil {
		return nil, err
	}
	archive, ok := read.(*charm.CharmArchive)
	if !ok {
		return nil, fmt.Errorf("%s is not an archive", path)
	}
	if err := charm.CheckMeta(archive); err != nil {
		return nil, err
	}
	meta := archive.Meta()
	if err := charm.ValidateName(meta.Name); err != nil {
		return nil, err
	}
	if profile := archive.LXDProfile(); profile != nil {
		if err := profile.ValidateConfigDevices(); err != nil {
			return nil, err
		}
	}
	members, err := archive.ArchiveMembers()
	if err != nil {
		return nil, err
	}
	seen := &report{
		Name:    meta.Name,
		Summary: meta.Summary,
		Format:  int(charm.MetaFormat(archive)),
		Members: members.SortedValues(),
		Config:  map[string]option{},
		Actions: map[string]any{},
	}
	if manifest := archive.Manifest(); manifest != nil {
		for _, base := range manifest.Bases {
			seen.Bases = append(seen.Bases, fmt.Sprintf("%s %v", base.String(), base.Architectures))
		}
	}
	if config := archive.Config(); config != nil {
		for name, value := range config.Options {
			seen.Config[name] = option{value.Type, value.Default}
		}
	}
	if actions := archive.Actions(); actions != nil {
		for name, spec := range actions.ActionSpecs {
			seen.Actions[name] = spec.Params
		}
	}
	return seen, nil
}

func repack(directory, path string) error {
	read, err := charm.ReadCharmDir(directory)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := read.ArchiveTo(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// modes lists what is in a directory, as `ls -l` shows it.
func modes(root string) (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		found[filepath.ToSlash(name)] = info.Mode().String()
		return err
	})
	return found, err
}
