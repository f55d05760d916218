package web

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"

	"github.com/trivet-net/trivet/lab"
	"github.com/trivet-net/trivet/trace"
)

var (
	errFile  = errors.New("a run has no such file")
	errNoOut = errors.New("this server was started without a folder to save into: see --out")
)

// filesOf are the files of a run, in both languages.
func filesOf(run *lab.Run) ([]lab.File, error) {
	return run.Files(trace.Style{}, trace.English, trace.Chinese)
}

// download answers with one file of a run. Only names of filesOf are known:
// none leads to the disk.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.withRun(w, r, func(run *lab.Run) {
		files, err := filesOf(run)
		if err != nil {
			refuse(w, http.StatusInternalServerError, err)
			return
		}
		i := slices.IndexFunc(files, func(f lab.File) bool { return f.Name == r.PathValue("name") })
		if i < 0 {
			refuse(w, http.StatusNotFound, errFile)
			return
		}
		f := files[i]
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", run.Recipe.Scenario+"-"+f.Name))
		w.Write(f.Data) // fails when the reader goes away
	})
}

// save writes the files of a run into a folder of its own in Config.Out.
func (s *Server) save(w http.ResponseWriter, r *http.Request) {
	if s.config.Out == "" {
		refuse(w, http.StatusForbidden, errNoOut)
		return
	}
	s.withRun(w, r, func(run *lab.Run) {
		folder := run.Recipe.Scenario + "-" + r.PathValue("id")
		if err := writeFiles(s.config.Out, folder, run); err != nil {
			refuse(w, http.StatusInternalServerError, err)
			return
		}
		answer(w, http.StatusOK, map[string]string{"folder": folder})
	})
}

// writeFiles writes the files of a run into a folder in out. What lies in out
// does not lead elsewhere: a link out of it is an error.
func writeFiles(out, folder string, run *lab.Run) error {
	files, err := filesOf(run)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := root.WriteFile(path.Join(folder, f.Name), f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
